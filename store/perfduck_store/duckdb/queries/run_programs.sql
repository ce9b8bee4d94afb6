-- Programs of eBPF in stacks: [stack_id, program, type, subsystem, is_leaf, is_blamed], a row for each
-- program that a stack of what is picked runs. A subprogram counts for the program that called it: of
-- programs that follow each other in a stack the outermost.
-- Names and types are those of an attached `bpftool prog -j`: by hash, else by name (the code of a
-- program with subprograms has another hash than bpftool prints). The kernel cuts names at 15
-- characters where it has no BTF.
create or replace temp view run_program as
with chosen_stack as (
    select *
    from stack_weight
),
attached as (
    select tag, name, type
    from bpf_program
    where is_chosen(profile_id)
),
by_tag as (
    select tag, min(name) as name, min(type) as type
    from attached
    group by tag
    having count(distinct name) = 1 and count(distinct type) = 1
),
by_name as (
    select name, min(type) as type
    from attached
    group by name
    having count(distinct type) = 1
),
function as (
    select
        symbol_id,
        subsystem,
        regexp_extract(name, '^bpf_prog_([0-9a-f]{16})', 1) as tag,
        regexp_extract(name, '^bpf_prog_[0-9a-f]{16}_(.+)', 1) as given
    from symbol
    where regexp_like(name, '^bpf_prog_[0-9a-f]{16}(_|$)')
        and area <> 'user'
),
named as (
    select
        function.symbol_id,
        function.subsystem,
        case
            when by_tag.name is not null
                and (function.given in ('', 'F') or starts_with(by_tag.name, function.given))
                then by_tag.name
            when function.given in ('', 'F')
                then 'bpf_prog_' || function.tag || if(function.given = '', '', '_F')
            else function.given
        end as program,
        coalesce(by_tag.type, by_name.type) as type
    from function
    left join by_tag on by_tag.tag = function.tag
    left join by_name on by_name.name = function.given
),
with_program as (
    select distinct stack_symbol.stack_id
    from stack_symbol
    join function on function.symbol_id = stack_symbol.symbol_id
    join chosen_stack on chosen_stack.stack_id = stack_symbol.stack_id
),
frame as (
    select stack.stack_id, placed.symbol_id, placed.place
    from stack
    join with_program on with_program.stack_id = stack.stack_id,
    lateral places_of(stack.symbol_ids) as placed
),
of_program as (
    select
        frame.*,
        frame.place - row_number() over (partition by frame.stack_id order by frame.place) as call
    from frame
    join function on function.symbol_id = frame.symbol_id
),
called as (
    select
        of_program.stack_id,
        max_by(of_program.symbol_id, of_program.place) as symbol_id,
        bool_or(of_program.place = 1) as is_leaf,
        bool_or(of_program.symbol_id = stack_blame.symbol_id) as is_blamed
    from of_program
    join stack_blame on stack_blame.stack_id = of_program.stack_id
    group by of_program.stack_id, of_program.call
)
select
    called.stack_id,
    named.program,
    min(named.type) as type,
    min(named.subsystem) as subsystem,
    bool_or(called.is_leaf) as is_leaf,
    bool_or(called.is_blamed) as is_blamed
from called
join named on named.symbol_id = called.symbol_id
group by called.stack_id, named.program
