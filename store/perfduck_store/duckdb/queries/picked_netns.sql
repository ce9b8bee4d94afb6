-- Weight and hits of what is picked by run, stack and network namespace, idle included.
select
    run,
    stack_id,
    coalesce(netns::string, '[no netns]') as netns,
    sum(weight) as weight,
    sum(hits) as hits
from picked
group by all
