-- What was said of the work of a profile, before it gets another.
delete from limitation
where profile_id = $profile_id
    and code in ('work-time', 'work-lost')
