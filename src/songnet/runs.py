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
