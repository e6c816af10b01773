"""Real-time classification: streams, audio files, the server and its page."""
