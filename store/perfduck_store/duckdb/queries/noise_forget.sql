-- Forget what was learned for the workloads of profiles; null: all.
delete from noise
where $profiles::bigint[] is null
    or workload in (
        select coalesce(labels['workload'], '')
        from profile
        where list_contains($profiles::bigint[], profile_id)
    )
