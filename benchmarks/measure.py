"""Common parts of all benchmarks: timing, medians and ranges, the machine, the report."""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tabulate import tabulate

LIBRARIES = [
    "librosa", "numpy", "scipy", "scikit-learn", "snakemake", "soundfile", "soxr", "torch",
]  # fmt: skip
Times = NDArray[np.float64]


@dataclass(frozen=True)
class Section:
    """Results of one benchmark."""

    title: str
    text: str
    rows: list[dict[str, str]]
    # Shown in the figure: the time of another method divided by SongNet's.
    ratios: Mapping[str, Times] = field(default_factory=dict)


def in_turn(
    ways: Mapping[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Times]:
    """Time several methods in turn, so that other work on the machine affects all of them.

    Args:
        ways: methods to time.
        repeats: number of rounds, after a warm-up round.
        clock: clock to use; default: CPU time of this process.

    Returns:
        Seconds of each repeat, by method.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, run in ways.items():
            before = clock()
            run()
            if repeat:
                times[name].append(clock() - before)
    return {name: np.array(values) for name, values in times.items()}


def spread(values: Sequence[float] | Times, digits: int = 2) -> str:
    """Format median and range, e.g. ``1.42 (1.40 – 1.47)``."""
    median, low, high = np.median(values), np.min(values), np.max(values)
    return f"{median:.{digits}f} ({low:.{digits}f} – {high:.{digits}f})"


def machine() -> str:
    """Describe processor, cores, memory, load and library versions, as Markdown."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(": ")[2] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d} · {cpu}, {os.cpu_count()} cores, {memory:.0f} GiB · load "
        f"{os.getloadavg()[0]:.1f} at the beginning · {platform.system()} {platform.release()} · "
        f"Python {platform.python_version()}, {libraries}"
    )


def report(sections: list[Section], about: str, repeats: int, folder: Path) -> None:
    """Write ``results.md`` and its figure ``results.svg``."""
    lines = [
        "# Speed of SongNet compared with other methods",
        "",
        f"Written by `make bench`. {about}",
        "",
        f"Each value is the median of {repeats} repeats, with the range in parentheses. All "
        "methods run in turn within a repeat, and ratios are computed within repeats.",
        "",
        "![Time of other methods relative to SongNet](results.svg)",
    ]
    lines += markdown(sections)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text("\n".join(lines) + "\n")
    ratios = {name: values for section in sections for name, values in section.ratios.items()}
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "songnet"}):
        figure = draw(ratios)
        figure.savefig(folder / "results.svg", metadata={"Date": None})
        plt.close(figure)


def markdown(sections: list[Section]) -> list[str]:
    """Format sections as Markdown lines."""
    lines: list[str] = []
    for section in sections:
        table = tabulate(section.rows, headers="keys", tablefmt="github", disable_numparse=True)
        lines += ["", f"## {section.title}", "", section.text, "", table]
    return lines


def draw(ratios: Mapping[str, Times]) -> Figure:
    """Draw medians as bars and ranges as lines; 1 is SongNet."""
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.35 * len(ratios)), layout="constrained")
    for place, values in enumerate(ratios.values()):
        axes.barh(place, np.median(values), color="#4c72b0", height=0.6)
        axes.plot([values.min(), values.max()], [place, place], color="#222222", linewidth=2)
        axes.annotate(
            f"{np.median(values):.1f}", (values.max(), place), (5, 0),
            textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
    axes.set_yticks(range(len(ratios)), list(ratios))
    axes.axvline(1, color="#222222", linewidth=1, linestyle=":")
    axes.invert_yaxis()
    axes.set_xlabel("time relative to SongNet")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
