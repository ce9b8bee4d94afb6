"""Answers to look at: each report returns a string."""
