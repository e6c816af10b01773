"""The table and the figure of the cases that `make faults` tries."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import MaxNLocator

HEAD = """# Faults

What was done to small runs of the workflow, and how many of the cases it survived: the next run
ends with the results of an undisturbed one (tables, predictions and spectrograms equal to the bit,
training times apart), no half file bears a final name, and what a person must know stands in one
line. `make faults` tries them all and writes this page; a part of them is in `make test`.

![Cases tried and survived](images/faults.png)

"""


@dataclass(frozen=True)
class Case:
    """One case that was tried: kind of fault, name of the test, passed, failed or skipped."""

    group: str
    test: str
    outcome: str
    seconds: float
    reason: str = ""

    @property
    def text(self) -> str:
        """What was done, for people; seeds of one case share it."""
        name, _, parameters = self.test.removeprefix("test_").partition("[")
        what = parameters.rstrip("]").rstrip("0123456789").rstrip("-").replace("_", " ")
        return name.replace("_", " ") + (f": {what}" if what else "")


def write_matrix(cases: list[Case], folder: Path) -> None:
    """Write ``faults.md`` and ``images/faults.png``."""
    table = pd.DataFrame([{"fault": c.group, "case": c.text, "outcome": c.outcome,
                           "seconds": c.seconds} for c in cases])  # fmt: skip
    groups = table.groupby(["fault", "case"], sort=False)
    counts = groups["outcome"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=["passed", "failed", "skipped"], fill_value=0)
    rows = counts.assign(tried=counts["passed"] + counts["failed"], seconds=groups["seconds"].sum())
    rows = rows.reset_index()[["fault", "case", "tried", "passed", "skipped", "seconds"]]
    rows = rows.rename(columns={"passed": "survived"}).round({"seconds": 0})
    total = f"{rows['survived'].sum()} of {rows['tried'].sum()} cases survived."
    machine = f"Measured on {os.cpu_count()} cores ({platform.machine()}, {platform.system()})."
    text = HEAD + f"{total} {machine}\n\n" + rows.to_markdown(index=False, floatfmt=".0f") + "\n"
    reasons = sorted({c.reason for c in cases if c.outcome == "skipped"})
    text += "".join(f"\nSkipped: {reason}\n" for reason in reasons)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "faults.md").write_text(text)
    _figure(rows, folder / "images/faults.png")


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
