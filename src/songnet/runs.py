"""What identifies a run."""

from pathlib import Path
from typing import Any, NamedTuple

from songnet import provenance
from songnet.files import digest, read_json, sha1


class RunName(NamedTuple):
    """Where a run stands: its folder is ``results/{dataset}/runs/{split}/{model}/{seed}``."""

    split: str
    model: str
    seed: str

    @classmethod
    def of(cls, folder: str | Path) -> "RunName":
        """Read the name off the folder."""
        return cls(*Path(folder).parts[-3:])


def protocol_of(split: str) -> str:
    """Protocol of a division, e.g. ``artist`` of ``artist-2``."""
    return split.partition("-")[0]


def for_tracks(run: dict[str, Any], tracks: int) -> dict[str, Any]:
    """Decide what an entry of models.yaml says for a data set of so many usable tracks.

    Below the number of ``few_tracks``, its ``parameters`` and ``training`` count before the
    entry's own; that key itself is left out. It goes by the whole data set, not by the training
    part, so that a row of the table is one model under all protocols and divisions.
    """
    chosen = {key: value for key, value in run.items() if key != "few_tracks"}
    few = run.get("few_tracks") or {}
    if tracks < few.get("below", 0):
        for key in ("parameters", "training"):
            chosen[key] = run[key] | few.get(key, {})
    return chosen


def run_record(run: dict[str, Any], source: str, data: list[str], archives: str) -> dict[str, Any]:
    """Everything that shapes a run, for params.json.

    Args:
        run: protocol, model, seeds and the entry of models.yaml.
        source: digest of the code.
        data: paths of what it is made from, such as tracks.parquet and the split.
        archives: path of archives.json.

    Returns:
        The run with a ``key`` that changes when anything does that shapes its result, and facts
        that only document it (commit, versions).
    """
    return {
        **run,
        "key": digest([run, source, [sha1(path) for path in data]]),
        "source": source,
        "archives": read_json(archives),
        "commit": provenance.git_commit(),
        "versions": provenance.versions(),
    }
