-- What attached counters of the network stack counted from before a run to after it. A namespace or a
-- device that was not there before counts from when it was made; so does all where nothing was read
-- before, which of a machine says nothing about a run. A counter that is less than before is of a
-- device that was made again; those of softnet_stat have 32 bits and begin again.
with file as (
    select profile_id, bool_or(moment = 'before') as has_before
    from net_counter
    where list_contains($profiles::bigint[], profile_id)
    group by profile_id
)
select
    later.profile_id,
    later.netns,
    later.file,
    later.device,
    later.counter,
    case
        when later.file = 'softnet_stat' then (later.value - earlier.value + 4294967296) % 4294967296
        else later.value - if(earlier.value <= later.value, earlier.value, 0)
    end as counted,
    not file.has_before as is_since_boot,
from net_counter as later
join file on file.profile_id = later.profile_id
left join net_counter as earlier
    on earlier.moment = 'before'
    and earlier.profile_id = later.profile_id
    and earlier.netns = later.netns
    and earlier.file = later.file
    and earlier.device = later.device
    and earlier.counter = later.counter
where later.moment = 'after'
    and counted > 0
order by
    counted desc, later.netns, later.file, later.device, later.counter, later.profile_id
