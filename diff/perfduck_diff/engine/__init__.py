"""Pure arithmetic on runs, stacks and trees: no store."""
