"""Music as it plays: streaming, files, the server and its page."""
