"""What load generators print: a reader each, from the text to the work in it."""
