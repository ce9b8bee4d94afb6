-- From schema version 4. The direction of what is stored already by the rules of this version
-- (tags/perfduck_tags/data/direction_rules.csv); `perfduck tag` works it out again.
-- A new table: DuckDB takes no `not null` for a column that the same transaction fills.
create table stack_blame_with_direction (
    stack_id  bigint not null,
    symbol_id bigint not null,
    subsystem varchar not null,
    context   varchar not null,
    direction varchar not null,
);

insert into stack_blame_with_direction by name
with entry as (
    select symbol_id, case
        when regexp_matches(
            canonical,
            '^(?:'
                || 'handle_softirqs|__do_softirq|__softirqentry_text_start|(?:asm_|__)?(?:sysvec_[0-'
                || '9A-Za-z_]+|common_interrupt|spurious_interrupt|exc_nmi)|asm_call_on_stack|smp_[0'
                || '-9A-Za-z_]+_interrupt|do_IRQ|do_nmi|__irqentry_text_start|ret_from_intr|retint_['
                || '0-9A-Za-z_]+|restore_(?:c_)?regs_and_iret|(?:apic_timer|reschedule|call_function'
                || '(?:_single)?|irq_work)_interrupt|el[01][ht]?_(?:64_|32_)?(?:irq|fiq)[0-9A-Za-z_]'
                || '*|__?el[01]_(?:irq|fiq)|el[01]_interrupt|gic_handle_irq|do_interrupt_handler|cal'
                || 'l_on_irq_stack|(?:generic_)?handle_domain_irq|__irq_(?:svc|usr)|asm_do_IRQ|gener'
                || 'ic_handle_arch_irq|do_irq|handle_riscv_irq|riscv_intc_irq|riscv_intc_aia_irq|pli'
                || 'c_handle_irq|imsic_handle_irq|aplic_direct_handle_irq|do_(?:io|ext)_irq|(?:io|ex'
                || 't|mcck)_int_handler|__do_irq|call_do_irq|timer_interrupt|(?:hardware_interrupt|d'
                || 'ecrementer)_common[0-9A-Za-z_]*'
                || ')$'
        ) then 'end'
        when name like '\_\_pfx\_%' escape '\' then null
            when regexp_matches(
                canonical,
                '^(unix|netlink|rtnetlink|genl|nfnetlink|sock_diag|inet_diag|uevent_net)_'
            ) then 'apart'
            when regexp_matches(
                canonical,
                '^t?packet_rcv|_xmit_timers?(_sync)?$|^tcp_send_delayed_ack|^(tty|__dma)_'
            ) then 'neither'
            when regexp_matches(
                canonical,
                '^t(un|ap)_(get_user|sendmsg|chr_write_iter)'
            ) then 'receive'
            when regexp_matches(
                canonical,
                '^t(un|ap)_(put_user|do_read|recvmsg|chr_read_iter)'
            ) then 'send'
            when regexp_matches(
                canonical,
                '(^|_)(poll_?tx|poll_cleantx|clean_tx|tx_poll|tx_int|tx_complet(e|ion)|process_tx'
                || '|free_old_xmit)(_|$)'
            ) then 'send'
            when regexp_matches(
                canonical,
                '^_*(compat_)?sys_send(to|msg|mmsg)?$'
            ) then 'send'
            when regexp_matches(
                canonical,
                '^_*sock_(sendmsg|write_iter|aio_write|sendpage)'
            ) then 'send'
            when regexp_matches(
                canonical,
                '_(sendmsg|sendpage)(_locked|_nosec)?$|^(splice_to_socket|pipe_to_sendpage|generi'
                || 'c_splice_sendpage)$'
            ) then 'send'
            when regexp_matches(
                canonical,
                '^io_send(msg)?(_zc)?$'
            ) then 'send'
            when regexp_matches(
                canonical,
                '^_*tcp_(transmit_skb|push|write_xmit|write_wakeup|send_|retransmit_skb|xmit_|tsq'
                || '_|tasklet_func|v[46]_send_|connect$|rtx_synack)'
            ) then 'send'
            when regexp_matches(
                canonical,
                '^(_*ip_queue_xmit|ip6_xmit|inet6_csk_xmit|_*ip6?_(append_data|make_skb|send_|pus'
                || 'h_pending|build_and_send)|udp_(v6_)?(send_skb|push_pending))'
            ) then 'send'
            when regexp_matches(
                canonical,
                '^(_*icmp6?_send|icmpv6_(send|echo_reply|push_pending)|icmp_(reply|echo|push_repl'
                || 'y)|arp_(send|xmit|solicit)|ndisc_(send|solicit)|neigh_probe|(igmp|mld)_?send)'
            ) then 'send'
            when regexp_matches(
                canonical,
                '^(nf_send_(reset|unreach)|sctp_packet_transmit|wg_packet_(send_|tx_worker|encryp'
                || 't_worker))'
            ) then 'send'
            when regexp_matches(
                canonical,
                '^_*ip6?_(mr_)?forward'
            ) then 'transmit'
            when regexp_matches(
                canonical,
                '^_*ip6?_(local_out|output|mc_output|finish_output|do_fragment|fragment)'
            ) then 'transmit'
            when regexp_matches(
                canonical,
                '^(dst_output|xfrm[46]?_output|esp6?_output|neigh_(resolve|connected|hh|direct)_o'
                || 'utput|lwtunnel_output|mpls_forward)'
            ) then 'transmit'
            when regexp_matches(
                canonical,
                '^_*dev_(queue_xmit|direct_xmit|xmit_skb)|^(sch_direct_xmit|_*qdisc_run|qdisc_res'
                || 'tart|net_tx_action|validate_xmit_)'
            ) then 'transmit'
            when regexp_matches(
                canonical,
                '(^|_)xmit(_|$)'
            ) then 'transmit'
            when regexp_matches(
                canonical,
                '^(_*br_(forward(_finish)?$|flood|multicast_flood|deliver|nf_forward|nf_post_rout'
                || 'ing)|maybe_deliver|deliver_clone)'
            ) then 'transmit'
            when regexp_matches(
                canonical,
                '^(skb_do_redirect|_*bpf_(tx_skb|redirect)|tcf_mirred_|nf_(fwd|dup)_netdev|xdp_do'
                || '_(redirect|flush)|dev_map_enqueue|_*dev_flush|nf_flow_offload_[a-z0-9_]+_hook|ov'
                || 's_vport_send)'
            ) then 'transmit'
            when regexp_matches(
                canonical,
                '^_*netif_receive_skb'
            ) then 'receive'
            when regexp_matches(
                canonical,
                '^(ip|ipv6|ip6)_(rcv|list_rcv|sublist_rcv)'
            ) then 'receive'
            when regexp_matches(
                canonical,
                '^_*(net_rx_action|process_backlog|napi_(poll|threaded_poll|busy_loop))|^(napi|de'
                || 'v)_gro_|^gro_cell_poll'
            ) then 'receive'
            when regexp_matches(
                canonical,
                '(^|_)rcv(_|$)|^(ip_local_deliver|ip6_input|wg_packet_(receive|decrypt_worker|rx_'
                || 'poll))'
            ) then 'receive'
            when regexp_matches(
                canonical,
                '^_*(compat_)?sys_recv(from|msg|mmsg)?$'
            ) then 'receive'
            when regexp_matches(
                canonical,
                '^_*sock_(recvmsg|read_iter|aio_read|splice_read)|_recvmsg(_locked|_nosec)?$|^io_'
                || 'recv(msg)?$|^tcp_(splice_read|read_sock|read_skb)'
            ) then 'receive'
    end as kind
    from symbol
    where area <> 'user'
),
frame as (
    select
        stack_id,
        unnest(symbol_ids) as symbol_id,
        generate_subscripts(symbol_ids, 1) as place,
    from stack
),
placed as (
    select
        frame.stack_id,
        entry.kind,
        frame.place,
        min(frame.place) filter (entry.kind = 'end') over (partition by frame.stack_id) as last,
    from frame
    join entry on entry.symbol_id = frame.symbol_id
    where entry.kind is not null and entry.kind <> 'neither'
),
found as (
    select
        stack_id,
        min(place) filter (kind = 'transmit') as transmit,
        min(place) filter (kind in ('receive', 'send', 'apart')) as decided,
        arg_min(kind, place) filter (kind in ('receive', 'send', 'apart')) as kind,
    from placed
    where last is null or place < last
    group by stack_id
),
of_user as (
    select stack_symbol.stack_id
    from stack_symbol
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    where stack_symbol.is_leaf and symbol.area = 'user' and symbol.subsystem <> 'unknown'
)
select
    stack_blame.*,
    case
        when stack_blame.stack_id in (select stack_id from of_user) then 'none'
        when found.transmit < coalesce(found.decided, found.transmit + 1)
            then if(found.kind = 'receive', 'forward', 'egress')
        when found.kind = 'receive' then 'ingress'
        when found.kind = 'send' then 'egress'
        else 'none'
    end as direction,
from stack_blame
left join found on found.stack_id = stack_blame.stack_id
order by stack_blame.rowid;

drop view hit;
drop table stack_blame;
alter table stack_blame_with_direction rename to stack_blame;

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
