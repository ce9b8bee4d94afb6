"""What all rooms speak: batches, ids, limitations, errors."""
