"""Contents of a run's params.json."""

from typing import Any

from songnet.io import digest, read_json, sha1
from songnet.pipeline import provenance


def run_record(run: dict[str, Any], source: str, data: list[str], archives: str) -> dict[str, Any]:
    """Return everything that determines a run, for params.json.

    Args:
        run: protocol, model, seeds and the entry of models.yaml.
        source: digest of the code.
        data: paths of its input files, such as tracks.parquet and the split.
        archives: path of archives.json.

    Returns:
        The run with a ``key``, which changes whenever something that affects the result changes,
        and facts for documentation only (commit, versions).
    """
    return {
        **run,
        "key": digest([run, source, [sha1(path) for path in data]]),
        "source": source,
        "archives": read_json(archives),
        "commit": provenance.git_commit(),
        "versions": provenance.versions(),
    }
