-- What is said of how a recording was read. What is said of its work stays.
delete from limitation
where profile_id = $profile_id
    and code not in ('work-time', 'work-lost')
