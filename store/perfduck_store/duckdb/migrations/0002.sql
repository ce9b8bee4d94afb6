-- From schema version 1.
alter table profile add column ingested_at timestamp;
alter table profile add column layout varchar;

create table limitation (
    profile_id bigint not null,
    code       varchar not null,
    samples    bigint,
    text       varchar not null,
    primary key (profile_id, code),
);

create table tag_input (
    kind           varchar not null,
    kernel_release varchar not null,
    content_hash   varchar not null,
    source         varchar not null,
    content        blob not null,
    primary key (kind, kernel_release),
);
