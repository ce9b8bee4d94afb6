-- The tables of schema version 7, the first that lakes had: parts of older lakes are read into them,
-- and upgraded. Without keys: names are unique once what is said of the recordings is resolved.
create table meta (
    schema_version integer not null,
);
create table profile (
    profile_id     bigint not null,
    name           varchar not null,
    format         varchar not null,
    source         varchar not null,
    content_hash   varchar not null,
    started_at     timestamp,
    duration_s     double,
    host           varchar,
    kernel_release varchar,
    arch           varchar,
    cpus           integer,
    command        varchar,
    tool           varchar,
    lost           bigint not null,
    raw_samples    bigint,
    work           double,
    work_unit      varchar,
    labels         map(varchar, varchar) not null,
    ingested_at    timestamp,
    layout         varchar,
    inlined_samples bigint,
);
create table event (
    profile_id bigint not null,
    event      varchar not null,
    unit       varchar not null,
    frequency  double,
    samples    bigint not null,
    weight     double not null,
);
create table symbol (
    symbol_id   bigint not null,
    name        varchar not null,
    dso         varchar not null,
    address     bigint,
    canonical   varchar not null,
    source_file varchar,
    area        varchar not null,
    subsystem   varchar not null,
    role        varchar not null,
    tagged_by   varchar not null,
    class       varchar not null,
);
create table elf_function (
    dso         varchar not null,
    build_id    varchar,
    address     bigint not null,
    "offset"    bigint not null,
    size        bigint not null,
    name        varchar not null,
    section     varchar,
    source_file varchar,
);
create table recorded_binary (
    profile_id bigint not null,
    dso        varchar not null,
    build_id   varchar not null,
);
create table stack (
    stack_id   bigint not null,
    symbol_ids bigint[] not null,
);
create table stack_symbol (
    stack_id  bigint not null,
    symbol_id bigint not null,
    is_leaf   boolean not null,
);
create table stack_blame (
    stack_id  bigint not null,
    symbol_id bigint not null,
    subsystem varchar not null,
    context   varchar not null,
    direction varchar not null,
);
create table sample (
    profile_id bigint not null,
    stack_id   bigint not null,
    event      varchar not null,
    comm       varchar,
    pid        integer,
    tid        integer,
    cpu        integer,
    cgroup     varchar,
    netns      bigint,
    time_ns    bigint,
    count      bigint not null,
    period     bigint,
);
create table rollup (
    profile_id bigint not null,
    event      varchar not null,
    stack_id   bigint not null,
    comm       varchar,
    cgroup     varchar,
    weight     double not null,
    count      bigint not null,
);
create table leaf_offset (
    profile_id bigint not null,
    event      varchar not null,
    symbol_id  bigint not null,
    "offset"   bigint not null,
    count      bigint not null,
    weight     double not null,
);
create table artefact (
    profile_id bigint not null,
    event      varchar not null,
    symbol_id  bigint not null,
    "offset"   bigint not null,
    weight     double not null,
    share      double not null,
);
create table edge (
    profile_id bigint not null,
    event      varchar not null,
    caller_id  bigint not null,
    callee_id  bigint not null,
    count      bigint not null,
    period     bigint,
);
create table skipped (
    profile_id bigint not null,
    line       bigint not null,
    text       varchar not null,
    reason     varchar not null,
);
create table limitation (
    profile_id bigint not null,
    code       varchar not null,
    samples    bigint,
    text       varchar not null,
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
create table noise (
    host_class varchar not null,
    workload   varchar not null,
    unit       varchar not null,
    subsystem  varchar not null,
    cv         double not null,
    phi        double not null,
    freedom    double not null,
    runs       bigint not null,
);
create table attachment (
    profile_id bigint not null,
    kind       varchar not null,
    source     varchar not null,
    text       varchar not null,
);
create table iptables_rule (
    profile_id bigint not null,
    "table"    varchar not null,
    chain      varchar not null,
    number     integer not null,
    packets    bigint,
    bytes      bigint,
    target     varchar,
    needs      varchar,
    rule       varchar not null,
);
create table bpf_program (
    profile_id  bigint not null,
    program_id  bigint not null,
    tag         varchar not null,
    name        varchar not null,
    type        varchar not null,
    loaders     varchar[] not null,
    runs        bigint,
    run_time_ns bigint,
);
create table pod (
    profile_id   bigint not null,
    pod_uid      varchar,
    namespace    varchar,
    pod          varchar,
    container_id varchar,
    container    varchar,
    node         varchar,
);
create table conntrack_stat (
    profile_id bigint not null,
    cpu        integer not null,
    counter    varchar not null,
    value      bigint not null,
);
create table tag_input (
    kind           varchar not null,
    kernel_release varchar not null,
    content_hash   varchar not null,
    source         varchar not null,
    content        blob not null,
);
