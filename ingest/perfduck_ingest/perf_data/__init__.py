"""What perf record writes: perf.data."""
