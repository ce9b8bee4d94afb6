-- Names of the profiles of which no sample that is picked has a caller.
with used as (
    select distinct stack_id, profile_of(run) as profile_id
    from picked
)
select profile.name
from used
join stack on stack.stack_id = used.stack_id
join profile on profile.profile_id = used.profile_id
group by profile.name
having max(cardinality(stack.symbol_ids)) <= 1
order by profile.name
