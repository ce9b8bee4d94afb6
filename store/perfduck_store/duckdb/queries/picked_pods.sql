-- Weight and hits of what is picked by run, stack and pod, idle included.
select run, stack_id, pod, sum(weight) as weight, sum(hits) as hits
from picked
group by all
