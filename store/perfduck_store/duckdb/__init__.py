"""A store that is a DuckDB file: the only place that opens DuckDB."""
