"""docs/faults.md from the reports of pytest; the last step of `make faults`."""

import argparse
import os
import platform
from pathlib import Path
from xml.etree import ElementTree

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import MaxNLocator

HEAD = """# Faults

What was done to small runs of the workflow, and how many of the cases it survived: the next run
ends with the results of an undisturbed one (tables, predictions and spectrograms equal to the bit,
training times apart), no half file bears a final name, and what a person must know stands in one
line. `make faults` tries them all and writes this page; a part of them is in `make test`. Kills of
jobs and full disks come one after the other in the same run, which must be right in the end: if it
is not, none of its cases counts as survived.

![Cases tried and survived](images/faults.png)

"""
FOUND = """
## Found and mended

- Jobs behind an `ancient` input were left out when another tracking server was named.
- A job that outlived its killed Snakemake could mix its file with that of the next run.
- An archive that was replaced by an older file, and a clock that was set back, left stale results.
- A read-only results folder and a full disk ended in tracebacks; now one line says what is wrong.
- A `tracks.csv` of ten million rows took more memory than its job may; a million are the limit.
- Members that claim sizes, lengths and rates that no clip has were decoded; now each costs a line
  of the quarantine.
"""


def read_cases(report: ElementTree.Element) -> pd.DataFrame:
    """Cases of a JUnit report: fault, case, outcome (survived, failed, skipped) and the reason."""
    rows = []
    for test in report.iter("testcase"):
        fault = test.attrib["classname"].rpartition("test_")[2].capitalize()
        skipped = test.find("skipped")
        failed = test.find("failure") is not None or test.find("error") is not None
        outcome = "failed" if failed else "survived" if skipped is None else "skipped"
        reason = "" if skipped is None else skipped.attrib["message"]
        named = [p.attrib["value"] for p in test.iter("property") if p.attrib["name"] == "case"]
        rows += [(fault, case, outcome, reason) for case in named or [_words(test.attrib["name"])]]
    return pd.DataFrame(rows, columns=["fault", "case", "outcome", "reason"])


def _words(test: str) -> str:
    """The name of a test for people; seeds of one case share it."""
    name, _, parameter = test.removeprefix("test_").partition("[")
    parameter = parameter.rstrip("]")
    return f"{name.replace('_', ' ')} {'' if parameter.isdigit() else parameter}".strip()


def write_matrix(reports: list[ElementTree.Element], folder: Path) -> None:
    """Write ``faults.md`` and ``images/faults.png``."""
    cases = pd.concat([read_cases(report) for report in reports])
    counts = cases.groupby(["fault", "case"], sort=False)["outcome"].value_counts().unstack()
    counts = counts.reindex(columns=["survived", "failed", "skipped"]).fillna(0).astype(int)
    rows = counts.assign(tried=counts["survived"] + counts["failed"])
    rows = rows.reset_index()[["fault", "case", "tried", "survived", "skipped"]]
    text = HEAD + f"{rows['survived'].sum()} of {rows['tried'].sum()} cases survived. "
    text += _origin(reports) + "\n\n" + rows.to_markdown(index=False) + "\n"
    reasons = sorted(set(cases["reason"]) - {""})
    text += "".join(f"\nSkipped: {reason}\n" for reason in reasons or ["none."]) + FOUND
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "faults.md").write_text(text)
    _figure(rows, folder / "images/faults.png")


def _origin(reports: list[ElementTree.Element]) -> str:
    """Where and on which code the cases were tried."""
    properties = [p for report in reports for p in report.iterfind("*/properties/property")]
    commits = sorted({p.attrib["value"] for p in properties if p.attrib["name"] == "commit"})
    minutes = sum(float(suite.attrib["time"]) for r in reports for suite in r) / 60
    parts = "one run" if len(reports) == 1 else f"{len(reports)} runs that shared the cases"
    machine = f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()})"
    return f"Commit {', '.join(commits)}, {parts}, {minutes:.0f} minutes on {machine}."


def _figure(rows: pd.DataFrame, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.24 * len(rows)), layout="constrained")
    labels = [f"{row.fault}: {row.case}" for row in rows.itertuples()]
    axes.barh(labels, rows["tried"], color="#D8D8D8", label="tried")
    axes.barh(labels, rows["survived"], height=0.5, color="#009E73", label="survived")
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("cases")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", labelsize=8)
    figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    """Merge the reports of one run, or of several that shared the cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path, help="JUnit XML of pytest")
    parser.add_argument("--to", default="docs", type=Path, help="folder of faults.md")
    arguments = parser.parse_args()
    reports = [ElementTree.parse(path).getroot() for path in arguments.reports]
    write_matrix(reports, arguments.to)


if __name__ == "__main__":
    main()
