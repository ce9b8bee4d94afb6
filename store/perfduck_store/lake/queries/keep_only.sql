-- Profiles beside $profiles, whose rows were not read, are not to be copied.
delete from profile
where not list_contains($profiles::bigint[], profile_id)
