-- Profiles as they were recorded, with what is said of them now: `incoming`.
insert into profile by name
select
    recorded.* replace (
        incoming.name as name,
        incoming.work as work,
        incoming.work_unit as work_unit,
        incoming.kernel_release as kernel_release,
        map(incoming.label_names, incoming.label_values) as labels
    ),
from recorded
join incoming using (profile_id)
