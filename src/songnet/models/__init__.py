"""Networks, baselines and fusions."""
