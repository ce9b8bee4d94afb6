-- How many samples have inlined functions, where a stored recording was read again.
update profile
set inlined_samples = $inlined
where profile_id = $profile_id
