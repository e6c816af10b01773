"""What identifies a run."""

from typing import Any

from songnet import provenance
from songnet.files import digest, read_json, sha1


def run_record(
    run: dict[str, Any], source: str, tracks: str, split: str, archives: str
) -> dict[str, Any]:
    """Everything that shapes a run, for params.json.

    Args:
        run: protocol, model, seeds and the entry of models.yaml.
        source: digest of the code.
        tracks: path of tracks.parquet.
        split: path of the split.
        archives: path of archives.json.

    Returns:
        The run with a ``key`` that changes when anything does that shapes its result, and facts
        that only document it (commit, versions).
    """
    data = {"tracks": sha1(tracks), "split": sha1(split)}
    return {
        **run,
        "key": digest([run, source, data]),
        "source": source,
        "archives": read_json(archives),
        "commit": provenance.git_commit(),
        "versions": provenance.versions(),
    }
