"""Music and its labels: sources of clips, the index of tracks, splits, shards of spectrograms."""
