-- Where the recording does not say how long it took: from its first to its last sample; and where
-- not how many CPUs there were: those that samples were seen on.
insert into profile
select
    $profile_id,
    $name,
    $format,
    $source,
    $content_hash,
    $started_at::timestamp,
    coalesce(
        $duration_s::double,
        (select (max(time_ns) - min(time_ns)) / 1e9 from sample where profile_id = $profile_id)
    ),
    $host,
    $kernel_release,
    $arch,
    coalesce(
        $cpus::integer,
        (select nullif(count(distinct cpu), 0) from sample where profile_id = $profile_id)
    ),
    $command,
    $tool,
    $lost::bigint,
    $raw_samples::bigint,
    $work::double,
    $work_unit,
    map($label_names::varchar[], $label_values::varchar[])
