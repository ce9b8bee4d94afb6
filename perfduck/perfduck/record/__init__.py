"""Running a command under perf: what perf records, how the command went, what it counted, and the
state of the system around it. Knows no store."""
