-- The profiles that remove_orphans.sql and the deletions before it go by.
create or replace temp table removed as
select unnest($profiles::bigint[]) as profile_id
