"""MLflow's table of runs as people want to see it: the current runs of a protocol, best first."""

import json

from songnet.tracking.store import CURRENT, open_experiment

COLUMNS = [
    "params.`model`",
    "params.`seed`",
    "metrics.`validation/accuracy`",
    "metrics.`test/accuracy`",
    "metrics.`test/macro_f1`",
    "metrics.`train/seconds`",
    "attributes.`Models`",
]


def describe_experiment(
    uri: str, experiment: str, note: str, protocols: list[str]
) -> dict[str, str]:
    """Give an experiment a view for each protocol, and a note with links to them.

    Args:
        uri: of the tracking server.
        experiment: its name.
        note: about the data.
        protocols: of its runs.

    Returns:
        The address of each view, relative to that of the server.

    Raises:
        Exception: as in `open_experiment`.
    """
    import mlflow

    experiment_id = open_experiment(uri, experiment)
    pages = {}
    for protocol in protocols:
        view = json.dumps(_view(protocol))
        mlflow.set_experiment_tag(f"mlflow.sharedViewState.{protocol}", view)
        pages[protocol] = (
            f"#/experiments/{experiment_id}/runs"
            f"?workflowType=machine_learning&viewStateShareKey={protocol}"
        )
    links = " · ".join(f"[{protocol}]({page})" for protocol, page in pages.items())
    text = f"Runs by validation accuracy: {links}. {note}"
    mlflow.set_experiment_tag("mlflow.note.content", text.strip())
    # MLflow's pages then show training runs first, not chat traces.
    mlflow.set_experiment_tag("mlflow.experimentKind", "custom_model_development")
    return pages


def _view(protocol: str) -> dict[str, object]:
    """State of the page, in MLflow's own words. Without a filter, runs hide in their parents."""
    return {
        "searchFilter": f"params.protocol = '{protocol}' and tags.`{CURRENT}` = 'true'",
        "orderByKey": "metrics.`validation/accuracy`",
        "orderByAsc": False,
        "selectedColumns": COLUMNS,
    }
