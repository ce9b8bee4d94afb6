"""The parts that the three OProfile importers are made of."""
