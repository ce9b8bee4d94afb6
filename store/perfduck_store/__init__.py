"""The only place that opens DuckDB: schema, write, read."""
