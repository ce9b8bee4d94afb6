"""The door: commands, exit codes, the one try/except."""
