"""What a store can be asked (protocol.py), and a backend that answers it (duckdb/)."""
