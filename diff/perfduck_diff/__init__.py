"""Questions: ranking, rates, test, attribution, gate."""
