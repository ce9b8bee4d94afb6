-- Each symbol, stack, or charge of a stack once, of those that several recordings have: where two
-- machines tagged a function differently at the same moment, the same one for all readers. What
-- `perfduck tag` said last goes before. key: the column of its id; source, tagged: rows.
with arrived as (
    select distinct on ({key}) *
    from (select distinct * from {source})
    order by all
)
select tagged.* from {tagged} as tagged semi join arrived using ({key})
union all by name
select arrived.* from arrived anti join {tagged} as tagged using ({key})
