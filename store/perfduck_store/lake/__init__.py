"""A store of Parquet parts that many machines write: see docs/fleet.md."""
