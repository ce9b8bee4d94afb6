-- Names of the profiles of which no sample that is picked has a caller.
select profile.name
from picked
join stack on stack.stack_id = picked.stack_id
join profile on profile.profile_id = getvariable('profiles')[picked.run + 1]
group by profile.name
having max(len(stack.symbol_ids)) <= 1
order by profile.name
