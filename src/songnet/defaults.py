"""Defaults shared by the commands, the Python API and the workflow."""

EXCERPT_SECONDS = 30.0  # middle excerpt of a file, as long as the clips in training and evaluation
