-- All and idle weight of the chosen profiles, and what they did.
select
    sum(rollup.weight) as weight,
    sum(case when stack_blame.context = 'idle' then rollup.weight else 0 end) as idle,
from rollup
join stack_blame on stack_blame.stack_id = rollup.stack_id
where rollup.profile_id in (select unnest($profiles::bigint[]))
    and rollup.event = $event
