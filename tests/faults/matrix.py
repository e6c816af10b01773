"""tests/faults/results.md from the reports of pytest; the last step of `make faults`."""

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

`make faults` injects these faults into small runs of the workflow and writes this page. A case is
survived if the next run ends with the results of an undisturbed run (equal bit for bit, training
times apart), no partial file has a final name, and the message is one line. Kills and full disks
follow one another in one run: if its results are wrong, none of its cases counts as survived.

![Cases tried and survived](results.png)

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
    """Write ``results.md`` and its figure ``results.png``."""
    cases = pd.concat([read_cases(report) for report in reports])
    counts = cases.groupby(["fault", "case"], sort=False)["outcome"].value_counts().unstack()
    counts = counts.reindex(columns=["survived", "failed", "skipped"]).fillna(0).astype(int)
    rows = counts.assign(tried=counts["survived"] + counts["failed"])
    rows = rows.reset_index()[["fault", "case", "tried", "survived", "skipped"]]
    text = HEAD + f"{rows['survived'].sum()} of {rows['tried'].sum()} cases survived. "
    text += _origin(reports) + "\n\n" + rows.to_markdown(index=False) + "\n"
    reasons = sorted(set(cases["reason"]) - {""})
    text += "".join(f"\nSkipped: {reason}\n" for reason in reasons or ["none."])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(text)
    _figure(rows, folder / "results.png")


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
    parser.add_argument("--to", default="tests/faults", type=Path, help="folder of results.md")
    arguments = parser.parse_args()
    reports = [ElementTree.parse(path).getroot() for path in arguments.reports]
    write_matrix(reports, arguments.to)


if __name__ == "__main__":
    main()
