-- `incoming` is a row of the table but for its labels. Where the recording does not say how long it
-- took: from its first to its last sample; and where not how many CPUs there were: those that samples
-- were seen on.
insert into profile by name
select
    incoming.* exclude (label_names, label_values) replace (
        coalesce(
            incoming.duration_s::double,
            (
                select (max(sample.time_ns) - min(sample.time_ns)) / 1e9
                from sample
                where sample.profile_id = incoming.profile_id
            )
        ) as duration_s,
        coalesce(
            incoming.cpus::integer,
            (
                select nullif(count(distinct sample.cpu), 0)
                from sample
                where sample.profile_id = incoming.profile_id
            )
        ) as cpus
    ),
    map(incoming.label_names::varchar[], incoming.label_values::varchar[]) as labels,
from incoming
