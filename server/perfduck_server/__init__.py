"""The second door: a server that owns a store, takes recordings, and answers over HTTP."""
