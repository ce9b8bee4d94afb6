-- From schema version 3.
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
