-- Where the recording does not say how long it took: from its first to its last sample; and where
-- not how many CPUs there were: those that samples were seen on.
insert into profile by name
select
    $profile_id as profile_id,
    $name as name,
    $format as format,
    $source as source,
    $content_hash as content_hash,
    $started_at::timestamp as started_at,
    coalesce(
        $duration_s::double,
        (select (max(time_ns) - min(time_ns)) / 1e9 from sample where profile_id = $profile_id)
    ) as duration_s,
    $host as host,
    $kernel_release as kernel_release,
    $arch as arch,
    coalesce(
        $cpus::integer,
        (select nullif(count(distinct cpu), 0) from sample where profile_id = $profile_id)
    ) as cpus,
    $command as command,
    $tool as tool,
    $lost::bigint as lost,
    $raw_samples::bigint as raw_samples,
    $work::double as work,
    $work_unit as work_unit,
    map($label_names::varchar[], $label_values::varchar[]) as labels,
    $ingested_at::timestamp as ingested_at,
    $layout as layout,
