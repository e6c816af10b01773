"""Names of runs, splits and protocols."""

from pathlib import Path
from typing import NamedTuple

# Protocols, from the one that says most about new music to the one that says least.
FAIREST = ("artist", "official", "random")


class RunName(NamedTuple):
    """Name of a run, whose folder is ``results/{dataset}/runs/{split}/{model}/{seed}``."""

    split: str
    model: str
    seed: str

    @classmethod
    def of(cls, folder: str | Path) -> "RunName":
        """Parse the name from the folder."""
        return cls(*Path(folder).parts[-3:])


def protocol_of(split: str) -> str:
    """Return the protocol of a split, e.g. ``artist`` for ``artist-2``."""
    return split.partition("-")[0]
