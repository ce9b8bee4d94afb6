"""Files in, batches out: one file per input format."""
