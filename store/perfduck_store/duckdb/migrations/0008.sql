-- From schema version 7. What was stored before has network namespaces in its samples alone.
alter table rollup add column netns bigint;

create temp table with_netns as
select profile_id
from sample
where netns is not null
group by profile_id;

delete from rollup
where profile_id in (from with_netns);

insert into rollup by name
select
    profile_id,
    event,
    stack_id,
    comm,
    cgroup,
    netns,
    sum(coalesce(period, count))::double as weight,
    sum(count)::bigint as count,
from sample
where profile_id in (from with_netns)
group by all
order by profile_id, event, stack_id, comm, cgroup, netns;

drop table with_netns;

create table net_counter (
    profile_id bigint not null,
    moment     varchar not null,
    netns      varchar not null,
    file       varchar not null,
    device     varchar not null,
    counter    varchar not null,
    value      bigint not null,
);
