insert into attachment by name
select $profile_id::bigint as profile_id, $kind as kind, $source as source, $text as text
