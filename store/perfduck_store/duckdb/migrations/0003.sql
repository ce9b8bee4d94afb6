-- From schema version 2. The class of what is stored already by the rules of this version
-- (tags/perfduck_tags/data/class_rules.csv); `perfduck tag` works it out again.
-- A new table: DuckDB takes no `not null` for a column that the same transaction fills.
create table symbol_with_class (
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

insert into symbol_with_class by name
select symbol.*, classified.class
from symbol
join (
    select symbol_id, case
        when subsystem = 'unknown' then 'unknown'
        when area = 'modules' then 'unknown'
        when area = 'user' then 'user'
        when area = 'guest/user' then 'user'
        when subsystem = 'string_copy' and regexp_matches(
            canonical,
            'copy|memcpy|memmove|rep_movs|_from_user|check_(object_size|heap_object'
                || '|stack_object)'
        ) then 'data_copy'
        when regexp_matches(
            canonical,
            '^(skb_copy_(datagram|and_csum_datagram|bits|seq_read)|__skb_datagram_i'
                || 'ter|_*zerocopy_sg_from_iter)'
        ) then 'data_copy'
        when area = 'kernel/locking' then 'lock'
        when regexp_matches(canonical, '^(_*lock_sock|_*release_sock|unlock_sock)') then 'lock'
        when area = 'kernel/rcu' and regexp_matches(canonical, '^_*rcu_read_(un)?lock') then 'lock'
        when area = 'kernel/futex' then 'lock'
        when area = 'kernel/sched' then 'sched'
        when area = 'kernel/idle' then 'sched'
        when regexp_matches(
            canonical,
            '^(sock_def_(readable|wakeup|write_space|error_report)|sk_stream_(write'
                || '_space|wait)|sk_wait_|sock_wake_async|schedule_(hr)?timeout)'
        ) then 'sched'
        when area = 'mm' then 'memory'
        when area = 'net/core' and subsystem = 'page_pool' then 'memory'
        when regexp_matches(
            canonical,
            '^(sk(b)?_page_frag_refill|_*(napi|netdev)_alloc_frag|page_frag_)'
        ) then 'memory'
        when area like 'net/%' and regexp_matches(
            canonical,
            '^(skb_segment|_*(skb_|dev_|napi_)?(mac_)?g[rs]o_)'
                || '|_(g[rs]o_(receive|complete|segment))$'
        ) then 'netdev'
        when area = 'net/core' and subsystem = 'skb' then 'skb'
        when area like 'net/%' and regexp_matches(
            canonical,
            '^(_*sock_([werof]+free|alloc_send|wmalloc|omalloc)|skb_(set_owner_[wr]'
                || '|orphan|release|free_datagram|consume_udp|defer_free)|sk_skb_reason_dr'
                || 'op|_*((dev|napi)_)?(k?free|consume)_skb|(tcp|sk)_stream_alloc_skb|tcp_'
                || 'wfree|_*(napi_)?(build|alloc)_skb)'
        ) then 'skb'
        when area = 'net/bridge' and subsystem = 'br_netfilter' then 'tcp_ip'
        when area = 'net/bridge' then 'netdev'
        when area = 'net/core' and subsystem = 'netns' then 'other'
        when area = 'net/core' and subsystem = 'net_cgroup' then 'other'
        when area = 'net/core' then 'netdev'
        when area = 'net/sched' then 'netdev'
        when area = 'net/virtual' then 'netdev'
        when area = 'net/tunnel' then 'netdev'
        when area = 'net/openvswitch' then 'netdev'
        when area = 'net/bpf_xdp' and subsystem = 'sockmap' then 'tcp_ip'
        when area = 'net/bpf_xdp' then 'netdev'
        when area = 'drivers/net' then 'netdev'
        when area = 'drivers/virtio' then 'netdev'
        when area = 'net/socket' and subsystem = 'unix' then 'other'
        when area = 'net/socket' and subsystem = 'vsock' then 'other'
        when area = 'net/socket' and subsystem = 'packet' then 'netdev'
        when area = 'net/socket' then 'tcp_ip'
        when area = 'net/transport' then 'tcp_ip'
        when area = 'net/l3' then 'tcp_ip'
        when area = 'net/netfilter' then 'tcp_ip'
        when area = 'net/xfrm' then 'tcp_ip'
        when area = 'lib' and subsystem = 'checksum' then 'tcp_ip'
        else 'other'
    end as class
    from (
        select
            symbol_id,
            canonical,
            regexp_replace(area, '^guest/', '') as area,
            regexp_replace(subsystem, '^guest:', '') as subsystem,
        from symbol
    )
) as classified on classified.symbol_id = symbol.symbol_id
order by symbol.rowid;

drop view hit;
drop table symbol;
alter table symbol_with_class rename to symbol;

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
