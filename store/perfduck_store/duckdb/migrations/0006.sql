-- From schema version 5. What was stored before has cgroups in its samples alone.
drop view hit;
alter table sample add column netns bigint;
alter table rollup add column cgroup varchar;

create temp table with_cgroups as
select profile_id
from sample
where cgroup is not null
group by profile_id;

delete from rollup
where profile_id in (from with_cgroups);

insert into rollup by name
select
    profile_id,
    event,
    stack_id,
    comm,
    cgroup,
    sum(coalesce(period, count))::double as weight,
    sum(count)::bigint as count,
from sample
where profile_id in (from with_cgroups)
group by all
order by profile_id, event, stack_id, comm, cgroup;

drop table with_cgroups;

create table pod (
    profile_id   bigint not null,
    pod_uid      varchar,
    namespace    varchar,
    pod          varchar,
    container_id varchar,
    container    varchar,
    node         varchar,
);

create view hit as
select
    profile.name as profile,
    profile.labels,
    sample.event,
    sample.comm,
    sample.pid,
    sample.tid,
    sample.cpu,
    sample.cgroup,
    sample.netns,
    sample.time_ns,
    sample.count,
    sample.period,
    coalesce(sample.period, sample.count) as weight,
    symbol.name as function,
    symbol.dso,
    symbol.area,
    symbol.subsystem,
    symbol.class,
    stack_blame.subsystem as blamed,
    stack_blame.context,
    stack_blame.direction,
    profile.work,
    profile.work_unit,
    sample.profile_id,
    sample.stack_id,
    symbol.symbol_id,
from sample
join profile on profile.profile_id = sample.profile_id
join stack_blame on stack_blame.stack_id = sample.stack_id
join stack_symbol on stack_symbol.stack_id = sample.stack_id and stack_symbol.is_leaf
join symbol on symbol.symbol_id = stack_symbol.symbol_id;
