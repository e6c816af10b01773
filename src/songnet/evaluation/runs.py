"""Names of runs and protocols."""

from pathlib import Path
from typing import NamedTuple

# Protocols: the one that says most about new music comes first.
FAIREST = ("artist", "official", "random")


class RunName(NamedTuple):
    """Place of a run: its folder is ``results/{dataset}/runs/{split}/{model}/{seed}``."""

    split: str
    model: str
    seed: str

    @classmethod
    def of(cls, folder: str | Path) -> "RunName":
        """Read the name off the folder."""
        return cls(*Path(folder).parts[-3:])


def protocol_of(split: str) -> str:
    """Protocol of a split, e.g. ``artist`` of ``artist-2``."""
    return split.partition("-")[0]
