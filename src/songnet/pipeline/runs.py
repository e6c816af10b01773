"""What goes into params.json of a run."""

from typing import Any

from songnet.io import digest, read_json, sha1
from songnet.pipeline import provenance


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
