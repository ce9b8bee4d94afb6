"""Threads, processes and memory of an import."""
