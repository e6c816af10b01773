"""Views of MLflow's table of runs: the current runs of a protocol, best first."""

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
    """Add a view for each protocol to an experiment, and a description with links to the views.

    Args:
        uri: tracking URI.
        experiment: name of the experiment.
        note: note about the data set.
        protocols: protocols of the runs.

    Returns:
        URL of each view relative to the server's, by protocol.

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
    # This kind makes MLflow's page show training runs first instead of traces.
    mlflow.set_experiment_tag("mlflow.experimentKind", "custom_model_development")
    return pages


def _view(protocol: str) -> dict[str, object]:
    """Return MLflow's page state. Without a filter, MLflow nests the runs under their parents."""
    return {
        "searchFilter": f"params.protocol = '{protocol}' and tags.`{CURRENT}` = 'true'",
        "orderByKey": "metrics.`validation/accuracy`",
        "orderByAsc": False,
        "selectedColumns": COLUMNS,
    }
