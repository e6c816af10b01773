"""The report: one page of all that a run found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from songnet import __version__
from songnet.evaluation.tables import runtime_table
from songnet.io import read_json
from songnet.report import cells
from songnet.report.findings import Findings, Values
from songnet.report.headline import headline
from songnet.report.pages import write_page


def write_report(
    files: Mapping[str, Any], params: Mapping[str, Any], commit: str, path: str | Path
) -> None:
    """Write index.html.

    Args:
        files: what `Findings.read` reads; params.json of all runs; figures: accuracy, confusion,
            training and excerpts, the latter three lists.
        params: what `Findings.read` takes; config, benchmarks (folder of Snakemake's), neighbours
            (names of the pages that it links to).
        commit: of the code that writes the report.
        path: of the page.
    """
    found = Findings.read(files, params)
    runtime = runtime_table(params["benchmarks"])
    write_page(
        "report.html",
        path,
        version=__version__,
        dataset=found.dataset,
        found=found,
        cells=cells,
        headline=headline(found, params["config"]["reference"]),
        figures={name: files[name] for name in ("accuracy", "excerpts")},
        confusions=confusion_panels(found, files["confusion"]),
        trainings={found.title(Path(file).stem): file for file in files["training"]},
        runtime=cells.runtime_table(runtime),
        job_time=cells.duration(runtime["seconds"].sum()),
        provenance=provenance([read_json(file) for file in files["params"]], commit),
        config=yaml.safe_dump(params["config"], sort_keys=False, allow_unicode=True),
        neighbours=params["neighbours"],
    )


def confusion_panels(found: Findings, files: list[str]) -> list[Values]:
    """Confusion matrix and scores of each protocol and model, that of the fairest protocol first.

    Args:
        found: by the run.
        files: confusion/{protocol}/{model}.svg.

    Returns:
        protocol, model (title), figure (path), scores (table).
    """
    figures = {(Path(file).parent.name, Path(file).stem): file for file in files}
    return [
        {
            "protocol": protocol,
            "model": found.title(model),
            "figure": figures[protocol, model],
            "scores": cells.scores_table(found, protocol, model),
        }
        for protocol in found.subsets
        for model in (model for of, model in figures if of == protocol)
    ]


def provenance(records: list[Values], commit: str) -> dict[str, str]:
    """Commits and versions behind runs and report; several where runs are of different ages.

    Args:
        records: params.json of each run.
        commit: of the report.
    """
    commits = sorted({record["commit"] for record in records} - {""})
    versions: dict[str, dict[str, None]] = {}
    for record in records:
        for name, version in record["versions"].items():
            versions.setdefault(name, {})[version] = None
    return {
        "runs": ", ".join(commits) or "outside git",
        "report": f"SongNet {__version__}" + (f", {commit}" if commit else ""),
        "versions": " · ".join(f"{name} {', '.join(found)}" for name, found in versions.items()),
    }
