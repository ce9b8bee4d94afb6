-- What both stores say of the recordings that both have.
select
    ours.profile_id,
    ours.name,
    ours.work,
    ours.work_unit,
    ours.kernel_release,
    ours.labels,
    theirs.name,
    theirs.work,
    theirs.work_unit,
    theirs.kernel_release,
    theirs.labels,
from profile as ours
join other.profile as theirs on theirs.profile_id = ours.profile_id
order by ours.name
