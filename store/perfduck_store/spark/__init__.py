"""A lake whose samples a Spark cluster reads, by Spark Connect: see docs/fleet.md."""
