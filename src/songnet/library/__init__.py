"""Whole libraries of music: a table of genres, and what people do with it."""
