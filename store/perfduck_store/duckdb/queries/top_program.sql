-- By program of eBPF (run_programs.sql). self: the leaf is in the program. total: stacks with the
-- program, each once. blamed: the program is charged. What has no program, or is charged to none, is a
-- row of its own.
with chosen_stack as (
    select *
    from stack_weight
),
once as (
    select *
    from run_program
),
with_program as (
    select distinct stack_id
    from once
),
program as (
    select
        once.program,
        min(once.type) as type,
        min(once.subsystem) as subsystem,
        sum(case when once.is_leaf then chosen_stack.weight else 0 end) as self,
        sum(chosen_stack.weight) as total,
        sum(case when once.is_blamed then chosen_stack.weight else 0 end) as blamed
    from once
    join chosen_stack on chosen_stack.stack_id = once.stack_id
    group by once.program
),
rest as (
    select
        '[no program]' as program,
        null as type,
        null as subsystem,
        sum(chosen_stack.weight) - coalesce((select sum(self) from program), 0) as self,
        sum(case when with_program.stack_id is null then chosen_stack.weight else 0 end) as total,
        sum(chosen_stack.weight) - coalesce((select sum(blamed) from program), 0) as blamed
    from chosen_stack
    left join with_program on with_program.stack_id = chosen_stack.stack_id
),
ranked as (
    select *
    from program
    union all
    select *
    from rest
    where self > 0 or blamed > 0
)
select *, count(*) over () as row_count
from ranked
order by blamed desc, self desc, program
limit $limit
