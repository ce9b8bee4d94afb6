-- From schema version 6. Of what was stored before it is not known.
alter table profile add column inlined_samples bigint;

create table recorded_binary (
    profile_id bigint not null,
    dso        varchar not null,
    build_id   varchar not null,
);
