"""One-off studies whose results are quoted in the documentation."""
