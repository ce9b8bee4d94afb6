"""Subsystems of functions: rules, catalogue, tagger, blame."""
