-- The store: recordings, their stacks and symbols, and what was read off them.
--
-- Ids are content-addressed (identity.py), so stores and Parquet parts from
-- different machines merge without coordination. Signed 64 bit: Spark reads
-- UINT64 as a decimal, and DuckDB writes 128 bit to Parquet as DOUBLE. The writer
-- inserts what a table lacks, so stacks and symbols have no keys that check it:
-- their indexes would be a sixth of the file, and a tenth of the end of an import.

create table meta (
    schema_version integer not null,  -- SCHEMA_VERSION of the perfduck that made the store
);

-- One recording: one ingested file, or one OProfile session.
create table profile (
    profile_id     bigint primary key,      -- of content_hash
    name           varchar not null unique, -- what a SELECTOR names it by
    format         varchar not null,        -- the importer: perf-script, oprofile, ...
    source         varchar not null,        -- file name as given, '-' for a pipe
    content_hash   varchar not null,        -- xxh3-128 of the decompressed bytes
    started_at     timestamp,               -- wall clock (UTC) where the recording says it
    duration_s     double,                  -- first to last sample, or what the recording says
    host           varchar,
    kernel_release varchar,
    arch           varchar,
    cpus           integer,                 -- online at recording time, or those that samples were seen on
    command        varchar,                 -- the recording command
    tool           varchar,                 -- and its version: perf version 6.1.187
    lost           bigint not null,         -- samples the kernel or the tool lost
    raw_samples    bigint,                  -- samples before a report left some out; null: none
    work           double,                  -- how much the recorded program got done
    work_unit      varchar,                 -- in what: packet, request
    labels         map(varchar, varchar) not null, -- scenario, workload, run, ...
    ingested_at    timestamp,               -- UTC; null where perfduck 0.1 stored it, which kept no time
    layout         varchar,                 -- fields that the importer read of each sample; null where the format fixes them
    inlined_samples bigint,                 -- with inlined functions as frames; null where that is not known
);

-- An event of a profile.
create table event (
    profile_id bigint not null,
    event      varchar not null,   -- as perf prints it, without the colon: cpu-clock, cycles:P
    unit       varchar not null,   -- of period and weight: ns, cycles, ..., sample where no period is known
    frequency  double,             -- samples a second that were asked for (-F)
    samples    bigint not null,    -- sum of sample.count
    weight     double not null,    -- sum of sample.period, or samples where none was recorded
    primary key (profile_id, event),
);

-- A function in a binary. Source, area, subsystem, role and class come from the tagger.
create table symbol (
    symbol_id   bigint not null,    -- of (name, dso, address)
    name        varchar not null,   -- as the profiler printed it; '[unknown]' where it knew none
    dso         varchar not null,   -- path, [kernel.kallsyms], [nf_conntrack], [unknown]
    address     bigint,             -- in the dso, only where no name is known and the dso is a file or the kernel
    canonical   varchar not null,   -- name without compiler suffixes and prefixes: what diffs match on
    source_file varchar,            -- path in the kernel tree: net/netfilter/nf_conntrack_core.c
    area        varchar not null,   -- net/netfilter, kernel/sched, user, ...
    subsystem   varchar not null,   -- conntrack, nat, bridge, ...; 'unknown', never null
    role        varchar not null,   -- domain (is charged), helper (passes the charge up), context (stops it)
    tagged_by   varchar not null,   -- the method that decided: rule, module, dwarf, catalogue, ...
    class       varchar not null,   -- of Cai et al. (SIGCOMM'21): data_copy, tcp_ip, netdev, skb, memory,
                                    -- lock, sched, other; and user, unknown
);

-- A function of a binary whose ELF file was read (--vmlinux, --symbols, perfduck symbols add): what
-- names addresses and tells source files without reading the file again.
create table elf_function (
    dso         varchar not null,  -- as in symbol
    build_id    varchar,           -- hexadecimal; null where the linker left none
    address     bigint not null,   -- virtual, two's complement; in a module from its section's start
    "offset"    bigint not null,   -- of its code in the file: what perf prints of a program
    size        bigint not null,   -- bytes; 0 for labels
    name        varchar not null,
    section     varchar,
    source_file varchar,           -- null without debug information
);

-- The build id of a binary that a recording notes and has samples in (perf.data).
create table recorded_binary (
    profile_id bigint not null,
    dso        varchar not null,  -- as in symbol
    build_id   varchar not null,  -- hexadecimal
);

-- A distinct call chain.
create table stack (
    stack_id   bigint not null,   -- of symbol_ids
    symbol_ids bigint[] not null,  -- leaf first
);

-- A distinct symbol of a stack: totals are plain joins, recursion is counted once.
create table stack_symbol (
    stack_id  bigint not null,
    symbol_id bigint not null,
    is_leaf   boolean not null,
);

-- The charge of a stack: its innermost domain frame.
create table stack_blame (
    stack_id  bigint not null,
    symbol_id bigint not null,   -- the frame that is charged
    subsystem varchar not null,  -- and its subsystem
    context   varchar not null,  -- task, softirq-inline, softirq-irq, ksoftirqd, irq or idle
    direction varchar not null,  -- of its packet: egress, ingress, forward (comes in, goes out); none
);

-- A hit of an event, or n equal hits where the profiler counts (OProfile).
-- Kept in (profile_id, stack_id, time_ns) order, half a million of a profile at a time: RLE takes a
-- third off the file.
create table sample (
    profile_id bigint not null,
    stack_id   bigint not null,
    event      varchar not null,
    comm       varchar,
    pid        integer,
    tid        integer,
    cpu        integer,
    cgroup     varchar,          -- path from the root of the hierarchy; null where it was not recorded
    netns      bigint,           -- inode of the thread's network namespace; null where it was not recorded
    time_ns    bigint,           -- the recording's clock; null where none was printed
    count      bigint not null,  -- hits that this row counts
    period     bigint,           -- events they stand for, in event.unit; null where not recorded
);

-- What `top` and `diff` read: the samples of a profile per event, stack, comm, cgroup
-- and network namespace.
create table rollup (
    profile_id bigint not null,
    event      varchar not null,
    stack_id   bigint not null,
    comm       varchar,
    cgroup     varchar,
    netns      bigint,
    weight     double not null,
    count      bigint not null,
);

-- Where in a function the leaf samples fell: one row per distinct instruction.
create table leaf_offset (
    profile_id bigint not null,
    event      varchar not null,
    symbol_id  bigint not null,
    "offset"   bigint not null,  -- bytes from the start of the function
    count      bigint not null,
    weight     double not null,
);

-- A function whose self weight is not its own: a clock that interrupts (cpu-clock) cannot fire while
-- interrupts are off, so what ran then is counted on the instruction that turns them on again.
create table artefact (
    profile_id bigint not null,
    event      varchar not null,
    symbol_id  bigint not null,
    "offset"   bigint not null,  -- of that instruction
    weight     double not null,  -- counted there
    share      double not null,  -- of the function's self weight: at least 0.95
);

-- A caller-callee arc of OProfile, which records no whole stacks.
create table edge (
    profile_id bigint not null,
    event      varchar not null,
    caller_id  bigint not null,
    callee_id  bigint not null,
    count      bigint not null,
    period     bigint,
);

-- Input that was not understood: kept, counted and reported, never dropped silently.
create table skipped (
    profile_id bigint not null,
    line       bigint not null,  -- 1-based line of the decompressed input, 0 where there are no lines
    text       varchar not null,
    reason     varchar not null,
);

-- What a recording holds that could not be read, or what its names lack: said with every answer.
create table limitation (
    profile_id bigint not null,
    code       varchar not null,  -- the same for the same limitation of any recording: dwarf-callers
    samples    bigint,            -- that it concerns; null where they cannot be counted
    text       varchar not null,  -- in words, without that number
    primary key (profile_id, code),
);

-- The table to write SQL against: one row per sample, with names instead of ids.
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
    symbol.symbol_id
from sample
join profile on profile.profile_id = sample.profile_id
join stack_blame on stack_blame.stack_id = sample.stack_id
join stack_symbol on stack_symbol.stack_id = sample.stack_id and stack_symbol.is_leaf
join symbol on symbol.symbol_id = stack_symbol.symbol_id;

-- How far the cost of a subsystem varies between runs of the same thing (perfduck noise learn).
create table noise (
    host_class varchar not null,  -- arch and CPUs: x86_64/2; '?' where the recording does not say
    workload   varchar not null,  -- label workload of the runs; '' where they have none
    unit       varchar not null,  -- of the rates: ns/packet
    subsystem  varchar not null,  -- that is charged; or wakeup, background
    cv         double not null,   -- standard deviation over mean between runs, sampling taken off
    phi        double not null,   -- variance within a run over that of independent samples
    freedom    double not null,   -- degrees of freedom that cv rests on
    runs       bigint not null,   -- profiles it was learned from
    primary key (host_class, workload, unit, subsystem),
);

-- A file kept with a profile because it explains what was recorded (--attach KIND=FILE).
create table attachment (
    profile_id bigint not null,
    kind       varchar not null,  -- iptables, conntrack, or any other word: kept, not parsed
    source     varchar not null,  -- file name as given
    text       varchar not null,
    primary key (profile_id, kind),
);

-- A rule of an attached `iptables-save -c` or `iptables -S`.
create table iptables_rule (
    profile_id bigint not null,
    "table"    varchar not null,  -- nat, filter, ...
    chain      varchar not null,
    number     integer not null,  -- position in the chain, from 1
    packets    bigint,            -- null where the counters were not saved (-c)
    bytes      bigint,
    target     varchar,           -- after -j or -g: ACCEPT, MASQUERADE, another chain
    needs      varchar,           -- conntrack or nat, for rules that cannot do without
    rule       varchar not null,  -- from -A on
);

-- A program of an attached `bpftool prog -j`.
create table bpf_program (
    profile_id  bigint not null,
    program_id  bigint not null,    -- of the kernel that was recorded
    tag         varchar not null,   -- hash of its code, as in bpf_prog_<tag>_<name>
    name        varchar not null,   -- '' where it was loaded without one
    type        varchar not null,   -- sched_cls, xdp, cgroup_skb, ...
    loaders     varchar[] not null, -- comm of the processes that hold it; empty where bpftool found none
    runs        bigint,             -- with kernel.bpf_stats_enabled; null without
    run_time_ns bigint,
);

-- A container of an attached list of pods (kubectl, crictl, docker, podman), or a pod of which the list
-- has no container. What a cgroup's path says is its pod_uid or container_id (perfduck_tags.pods).
create table pod (
    profile_id   bigint not null,
    pod_uid      varchar,  -- of a static pod the hash of its manifest; null of a container without pod
    namespace    varchar,  -- of Kubernetes
    pod          varchar,
    container_id varchar,  -- 64 hexadecimal digits, 12 of them where docker ps shortened it
    container    varchar,  -- its name; null for the sandbox of a pod
    node         varchar,
);

-- A counter of an attached /proc/net/stat/nf_conntrack.
create table conntrack_stat (
    profile_id bigint not null,
    cpu        integer not null,
    counter    varchar not null,  -- entries (of all CPUs, so the same in each), found, insert, ...
    value      bigint not null,
);

-- A counter of the network stack, of attached files of /proc/net before and after the run.
create table net_counter (
    profile_id bigint not null,
    moment     varchar not null,  -- before or after the run
    netns      varchar not null,  -- name of the namespace in a file of several; '' in a file of one
    file       varchar not null,  -- softnet_stat, snmp, snmp6, dev
    device     varchar not null,  -- of dev; '' of others
    counter    varchar not null,  -- rx_packets, IpInReceives, processed, ...
    value      bigint not null,   -- of softnet_stat of all CPUs
);

-- A file that says how symbols are tagged, kept for later imports, `perfduck tag` and `explain`.
create table tag_input (
    kind           varchar not null,  -- rules or kallsyms
    kernel_release varchar not null,  -- whose symbols the kallsyms has; '' for rules, and where it is not known
    content_hash   varchar not null,  -- xxh3-128 of the content
    source         varchar not null,  -- file name as given
    content        blob not null,     -- zstd
    primary key (kind, kernel_release),
);
