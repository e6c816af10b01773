"""Standard streams of a command."""

import os
import sys


def silence_libraries() -> None:
    """Discard what C libraries print to standard error, but keep Python's own output.

    libsndfile's MP3 decoder prints a line when it seeks to a frame that depends on earlier ones.
    """
    sys.stderr.flush()
    own = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(own, "w", buffering=1, encoding="utf-8", errors="surrogateescape")
