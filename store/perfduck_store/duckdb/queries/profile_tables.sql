-- Tables whose rows belong to one profile; the profiles themselves last.
select table_name
from duckdb_columns()
where database_name = 'store'
    and column_name = 'profile_id'
    and table_name in (select table_name from duckdb_tables() where database_name = 'store')
order by table_name = 'profile', table_name
