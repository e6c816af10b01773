"""The report: one page of all that a run found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from songnet import __version__
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
        files: what `Findings.read` reads; params.json of all runs; figures, in the page's folder.
        params: what `Findings.read` takes; config, benchmarks (folder of Snakemake's), neighbours
            (names of the pages that it links to).
        commit: of the code that writes the report.
        path: of the page.
    """
    found = Findings.read(files, params)
    runtime = rule_times(params["benchmarks"])
    figures = {
        Path(file).relative_to(Path(path).parent).with_suffix("").as_posix(): file
        for file in files["figures"]
    }
    write_page(
        "report.html",
        path,
        dataset=found.dataset,
        found=found,
        cells=cells,
        headline=headline(found),
        figures=figures,
        confusions=confusion_panels(found, figures),
        trainings={
            found.title(model): figures[f"training/{model}"]
            for model in found.models
            if f"training/{model}" in figures
        },
        runtime=cells.runtime_table(runtime),
        job_time=cells.duration(runtime["seconds"].sum()),
        provenance=provenance([read_json(file) for file in files["params"]], commit),
        config=yaml.safe_dump(params["config"], sort_keys=False, allow_unicode=True),
        neighbours=params["neighbours"],
    )


def confusion_panels(found: Findings, figures: dict[str, str]) -> list[Values]:
    """Confusion matrix and scores of each protocol and model, that of the fairest protocol first.

    Args:
        found: results of the run.
        figures: paths by name; those of confusions are named confusion/{protocol}/{model}.

    Returns:
        protocol, model (title), figure (path), scores (table).
    """
    return [
        {
            "protocol": protocol,
            "model": found.title(model),
            "figure": figures[f"confusion/{protocol}/{model}"],
            "scores": cells.scores_table(found, protocol, model),
        }
        for protocol in found.subsets
        for model in found.models
        if f"confusion/{protocol}/{model}" in figures
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


def rule_times(benchmarks: str | Path) -> pd.DataFrame:
    """Jobs, seconds and peak memory of each rule, from Snakemake's benchmark files.

    Args:
        benchmarks: folder whose first level names the rules.

    Returns:
        Index rule, the quickest first: jobs, seconds (of all jobs), peak (MB, of the largest job;
        0 where a job ended before Snakemake could measure it). Empty where there are no files.
    """
    tables = []
    for file in sorted(Path(benchmarks).rglob("*.tsv")):
        rule = file.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        tables.append(pd.read_csv(file, sep="\t", na_values="-").assign(rule=rule))
    rows = pd.concat(tables) if tables else pd.DataFrame(columns=["rule", "s", "max_rss"])
    columns = {"jobs": ("s", "size"), "seconds": ("s", "sum"), "peak": ("max_rss", "max")}
    return rows.groupby("rule").agg(**columns).fillna(0).sort_values("seconds")
