-- Whether the store has been served with tokens.
select comment is not distinct from 'requires tokens'
from duckdb_tables()
where table_name = 'meta' and database_name = current_database()
