"""What identifies a run."""

from typing import Any

from songnet import provenance
from songnet.files import digest, read_json, sha1


def run_record(run: dict[str, Any], source: str, inputs: Any) -> dict[str, Any]:
    """Everything that shapes a run, for params.json.

    Args:
        run: protocol, model, seeds and the entry of models.yaml.
        source: digest of the code.
        inputs: the rule's input: tracks, split, archives.

    Returns:
        The run with a ``key`` that changes when anything does that shapes its result, and facts
        that only document it (commit, versions).
    """
    data = {"tracks": sha1(inputs.tracks), "split": sha1(inputs.split)}
    return {
        **run,
        "key": digest([run, source, data]),
        "source": source,
        "archives": read_json(inputs.archives),
        "commit": provenance.git_commit(),
        "versions": provenance.versions(),
    }
