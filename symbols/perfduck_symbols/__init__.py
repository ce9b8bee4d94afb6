"""Names: ELF, kallsyms, subsystem rules and catalogue."""
