insert or replace into limitation by name
select
    $profile_id::bigint as profile_id,
    $code as code,
    $samples::bigint as samples,
    $text as text
