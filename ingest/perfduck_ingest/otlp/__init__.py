"""The parts of the importer of OpenTelemetry's profiles."""
