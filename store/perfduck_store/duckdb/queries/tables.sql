-- The tables with rows of recordings, or of all: not `meta`, which is of the store.
select table_name
from duckdb_tables()
where database_name = 'store'
    and table_name <> 'meta'
    and not temporary
order by table_name
