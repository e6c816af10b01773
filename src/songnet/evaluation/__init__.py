"""Metrics with intervals, tables of all runs, errors, filters."""
