-- What passed the filters of samples and of stacks, with two pods: `task_pod` whose CPU time it took,
-- `pod` which it is blamed on. They differ where a softirq or an interrupt ran on the time of whoever
-- was there (Iron, NSDI'18).
-- A softirq that a task runs on its own way out of a send (softirq-inline) is blamed on the task where
-- it takes packets off the queue of this CPU that veth and loopback put them on, as the task had just
-- done; polls of NICs, timers and RCU are others' work that waited. Programs of eBPF and functions of
-- guests may have these names too, so the binary counts.
with sent as (
    select distinct stack_symbol.stack_id
    from stack_symbol
    join symbol on symbol.symbol_id = stack_symbol.symbol_id
    join stack_blame on stack_blame.stack_id = stack_symbol.stack_id
    where symbol.canonical in ('process_backlog', 'veth_poll')
        and symbol.dso in ('[kernel.kallsyms]', '[veth]')
        and stack_blame.context = 'softirq-inline'
),
owned as (
    select
        passed_sample.*,
        case
            when stack_blame.context in ('softirq-inline', 'softirq-irq', 'ksoftirqd') then '[softirq]'
            when stack_blame.context = 'irq' then '[hardirq]'
        end as beside,
        coalesce(pod_of.pod, '[no cgroup]') as task_pod,
        pod_of.container,
        sent.stack_id is not null as is_sent
    from passed_sample
    join stack_blame on stack_blame.stack_id = passed_sample.stack_id
    left join pod_of on pod_of.cgroup = passed_sample.cgroup
    left join sent on sent.stack_id = passed_sample.stack_id
)
select *, case when beside is null or is_sent then task_pod else beside end as pod
from owned
