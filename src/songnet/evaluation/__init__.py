"""Metrics with confidence intervals, results tables, error analysis and filters."""
