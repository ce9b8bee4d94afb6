-- As lake/queries/names_of.sql: of each symbol, stack or charge of a stack one row, the first in the
-- order of its columns ({order}); those that `perfduck tag` said last ({tagged}) before others.
select {columns}
from (
    select
        *,
        row_number() over (partition by {key} order by is_tagged desc, {order}) as place
    from (
        select {columns}, false as is_tagged
        from {source}
        union all
        select {columns}, true as is_tagged
        from {tagged} as tagged
        semi join {source} as arrived using ({key})
    )
)
where place = 1
