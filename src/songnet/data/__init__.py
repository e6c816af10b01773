"""Clip sources, track tables, splits and spectrogram shards."""
