"""The parts of the importer of the Firefox Profiler's profiles."""
