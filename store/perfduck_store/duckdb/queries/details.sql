-- All that is said of a profile.
select
    name, format, source, content_hash, started_at, ingested_at, duration_s, host, kernel_release, arch,
    cpus, command, tool, lost, raw_samples, work, work_unit, labels, layout,
from profile
where profile_id = $profile_id
