"""The standard streams of a command."""

import os
import sys


def silence_libraries() -> None:
    """Let what libraries of C print to the standard error vanish; Python's own lines stay.

    libsndfile's MP3 decoder prints a line whenever it seeks to a frame that needs earlier ones.
    """
    sys.stderr.flush()
    own = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(own, "w", buffering=1, encoding="utf-8", errors="surrogateescape")
