"""Figures of the report: SVG for pages and documents, PNG where a path says so."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from songnet.colours import PALETTE, PROTOCOLS
from songnet.data.subsets import judging_subset
from songnet.evaluation.choice import by_validation
from songnet.evaluation.runs import FAIREST, RunName, protocol_of
from songnet.evaluation.table_files import read_table
from songnet.formatting import in_percent, shortened
from songnet.io import replacing

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

Models = dict[str, dict[str, Any]]

INK = "#1c1c1e"
# Shares, from nothing to a blue on which the ink of a light and of a dark page is legible.
HEAT = LinearSegmentedColormap.from_list("heat", ["#0072B200", "#0072B2C0"])
MARKERS = "oDs"  # of protocols
TITLE_WIDTH = 24  # characters of a line of a model's title
WIDTH = 4.6  # inches: on a phone, too, text is large enough
STYLE: dict[Any, Any] = {
    "font.size": 9, "font.sans-serif": ["DejaVu Sans"], "text.parse_math": False,
    "svg.fonttype": "none", "svg.hashsalt": "songnet", "axes.facecolor": "none",
    "axes.grid": True, "grid.alpha": 0.3, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK,
}  # fmt: skip
plt.rcParams.update(STYLE)


def draw_figures(
    files: Mapping[str, Any], models: Models, title: str, output: Mapping[str, Any]
) -> None:
    """Draw the figures of a run.

    Args:
        files: results, confusions and, of networks, histories (history.csv) and excerpts (a list).
        models: entries of models.yaml.
        title: of the data set.
        output: accuracy (a path); confusion ({protocol}/{model}.svg), training ({model}.svg) and
            excerpts (lists of paths).
    """
    results = read_table(files["results"])
    accuracy_figure(
        results, {name: models[name] for name in by_validation(results)}, title, output["accuracy"]
    )
    confusions = dict(list(read_table(files["confusions"]).groupby(["protocol", "model"])))
    for path in output["confusion"]:
        protocol, model = Path(path).parent.name, Path(path).stem
        title = f"{models[model]['title']}, {protocol} split"
        confusion_figure(confusions[protocol, model], title, path)
    histories = {RunName.of(Path(path).parent): path for path in files["histories"]}
    for path in output["training"]:
        model = Path(path).stem
        own = {name: pd.read_csv(run) for name, run in histories.items() if name.model == model}
        training_figure(own, models[model]["title"], path)
    for table, path in zip(files["excerpts"], output["excerpts"], strict=True):
        excerpt_figure(read_table(table), models, path)


def accuracy_figure(results: pd.DataFrame, models: Models, title: str, path: str) -> None:
    """Draw the accuracy of each model with its interval, a colour for each protocol.

    Args:
        results: results.csv. Where a protocol has no test set, rings show validation accuracy.
        models: entries of models.yaml.
        title: of the data set.
        path: SVG file.
    """
    untested = results["accuracy"].isna()
    known = results.assign(accuracy=results["accuracy"].fillna(results["validation_accuracy"]))
    names = [name for name in models if name in set(known["model"])]
    places = {name: len(names) - i for i, name in enumerate(names)}
    figure, axes = plt.subplots(figsize=(WIDTH, 1.0 + 0.36 * len(names)))
    protocols = sorted(known["protocol"].unique(), key=FAIREST.index)
    for k, protocol in enumerate(protocols):
        rows = known[known["protocol"] == protocol]
        validated = untested[rows.index].any()
        axes.errorbar(
            100 * rows["accuracy"], rows["model"].map(places) + (0.24, 0, -0.24)[k],
            xerr=_bars(rows), fmt=MARKERS[k], markersize=6 if k == 0 else 4,
            elinewidth=2 if k == 0 else 1, color=PROTOCOLS[protocol],
            fillstyle="none" if validated else "full",
            label=f"{protocol} split" + (" (validation)" if validated else ""),
        )  # fmt: skip
    poster = known.dropna(subset="poster_accuracy").drop_duplicates("model")
    if len(poster):
        claimed = 100 * poster["poster_accuracy"]
        axes.plot(claimed, poster["model"].map(places), "x", color=INK, label="poster")
    titles = [fill(models[name]["title"], TITLE_WIDTH) for name in names]
    axes.set_yticks(list(places.values()), titles)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 100)
    axes.set_ylim(0.4, len(names) + 0.6)
    axes.set_xlabel(f"{'' if untested.any() else 'test '}accuracy in %, with CI over artists")
    figure.legend(
        loc="outside upper center", ncols=3, columnspacing=1, handletextpad=0.3, title=title
    )
    _write(figure, path)


def confusion_figure(counts: pd.DataFrame, title: str, path: str, note: str = "") -> None:
    """Draw a confusion matrix: the share of each true genre's tracks that get each prediction.

    Args:
        counts: rows of confusions.csv for one protocol and model, summed over runs.
        title: of the figure.
        path: SVG or PNG file.
        note: a line below the title.
    """
    subset = judging_subset(counts["subset"])
    matrix = counts[counts["subset"] == subset].pivot(
        index="genre", columns="predicted", values="predictions"
    )
    tracks = matrix.sum(axis=1)
    shares = matrix.div(tracks.clip(lower=1), axis=0).to_numpy()
    names = [shortened(str(genre), 40) for genre in matrix]
    # Inches at 9 points, since matplotlib's layout engine would take most of the time.
    longest, cells = 0.075 * max(map(len, names)), 0.36 * len(matrix)
    left, bottom, top = 0.8 + longest, 0.5 + 0.75 * longest, 0.5
    width, height = max(left + cells + 0.2, 4.0), bottom + cells + top
    figure = plt.figure(figsize=(width, height), layout="none")
    axes = figure.add_axes((left / width, bottom / height, cells / width, cells / height))
    axes.imshow(shares, cmap=HEAT, vmin=0, vmax=1, interpolation="none")
    for i, j in np.argwhere(shares):  # empty cells stay empty
        axes.text(j, i, in_percent(shares[i, j], 0), ha="center", va="center", fontsize=8)
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)
    axes.set_xticks(range(len(matrix)), names, rotation=45, ha="right", rotation_mode="anchor")
    labels = [f"{name} ({count})" for name, count in zip(names, tracks, strict=True)]
    axes.set_yticks(range(len(matrix)), labels)
    axes.set_xlabel("predicted genre, in % of the row")
    axes.set_ylabel(f"true genre ({subset} predictions)")
    axes.set_title("\n".join(filter(None, [title, note])), fontsize=9)
    _write(figure, path)


def training_figure(histories: dict[RunName, pd.DataFrame], title: str, path: str) -> None:
    """Draw loss and validation accuracy over epochs, a line for each run of a network.

    Args:
        histories: history.csv of each run.
        title: of the network.
        path: SVG file.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3))
    for (split, _, _), history in histories.items():
        colour = PROTOCOLS[protocol_of(split)]
        epoch = history["epoch"]
        left.plot(epoch, history["train_loss"], color=colour)
        for axes, values, style in (
            (left, history["validation_loss"], ":"),
            (right, 100 * history["validation_accuracy"], "-"),
        ):
            axes.plot(epoch, values, style, color=colour)
    for protocol in dict.fromkeys(protocol_of(split) for split, _, _ in histories):
        right.plot([], [], color=PROTOCOLS[protocol], label=f"{protocol} split")
    left.plot([], [], color="grey", label="training loss")
    left.plot([], [], ":", color="grey", label="validation loss")
    left.set_ylabel("loss")
    right.set_ylabel("validation accuracy in %")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8)
    figure.suptitle(title)
    _write(figure, path)


def excerpt_figure(excerpts: pd.DataFrame, models: Models, path: str) -> None:
    """Draw accuracy by excerpt length: a panel for each protocol, a line for each network.

    Args:
        excerpts: excerpts.csv; empty where one step of each network is longer than all excerpts.
        models: entries of models.yaml.
        path: SVG file.
    """
    groups = list(excerpts.groupby("protocol", sort=False))
    figure, panels = plt.subplots(
        1, max(1, len(groups)), figsize=(WIDTH, 3.2), sharey=True, squeeze=False
    )
    colours = dict(zip(excerpts["model"].unique(), 2 * PALETTE, strict=False))
    for axes, (protocol, rows) in zip(panels[0], groups, strict=False):
        for model, line in rows.groupby("model", sort=False):
            seconds, colour = line["seconds"], colours[model]
            axes.plot(seconds, 100 * line["accuracy"], "o-", markersize=4, color=colour)
            axes.fill_between(
                seconds, 100 * line["ci_low"], 100 * line["ci_high"], color=colour, alpha=0.15,
                linewidth=0,
            )  # fmt: skip
        axes.set_xscale("log")
        ticks = sorted(rows["seconds"].unique())[::2]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=7)
        axes.minorticks_off()
        axes.set_title(f"{protocol} split,\n{rows['subset'].iloc[0]}", fontsize=9)
    for model, colour in colours.items():
        panels[0][0].plot([], [], "o-", color=colour, label=models[model]["title"])
    panels[0][0].set_ylabel("accuracy in %, with CI over artists")
    figure.supxlabel("excerpt length in seconds", fontsize=9)
    if colours:
        figure.legend(loc="outside upper left", ncols=2)
    _write(figure, path)


def reliability_figure(reliability: pd.DataFrame, path: str) -> None:
    """Draw accuracy by confidence with intervals, and the number of predictions in each bin.

    Args:
        reliability: from `songnet.evaluation.error_analysis.reliability`.
        path: SVG file.
    """
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5, 4.5), height_ratios=[3, 1], sharex=True)
    top.plot([0, 100], [0, 100], ":", color="grey", label="perfect calibration")
    top.errorbar(
        100 * reliability["confidence"], 100 * reliability["accuracy"], _bars(reliability),
        fmt="o-", capsize=3, color=PALETTE[0], label="network, with CI",
    )  # fmt: skip
    top.set(ylabel="accuracy in %", xlim=(0, 103), ylim=(-3, 103))  # whole dots at 0 and 100 %
    top.legend()
    bars = bottom.bar(
        100 * reliability["low"], reliability["predictions"], align="edge", color=PALETTE[5],
        width=100 * (reliability["high"] - reliability["low"]), edgecolor="white",
    )  # fmt: skip
    bottom.bar_label(bars, fontsize=8)
    bottom.margins(y=0.25)
    bottom.set(ylabel="predictions", xlabel="confidence: probability of the prediction, in %")
    _write(figure, path)


def _bars(rows: pd.DataFrame) -> Any:
    """Lengths of the error bars in points, (2, n)."""
    return 100 * rows[["ci_low", "ci_high"]].sub(rows["accuracy"], axis=0).abs().to_numpy().T


def _write(figure: Figure, path: str) -> None:
    """Write the figure in the format of its suffix.

    Text of an SVG stays text, in the font and, but for that in cells, the colour of the page that
    holds it.
    """
    with replacing(path) as temporary:
        if Path(path).suffix == ".svg":
            file = io.StringIO()
            figure.savefig(file, format="svg")
            temporary.write_text(_slim(file.getvalue()), encoding="utf-8")
        else:
            figure.savefig(temporary, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _slim(svg: str) -> str:
    """Drop what matplotlib writes for editors, and leave font and ink to the page."""
    svg = svg[svg.index("<svg") :].replace("'DejaVu Sans', sans-serif", "inherit")
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->| font-family: inherit;", "", svg, flags=re.S)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"| id="(?!patch_1")[a-z0-9]+_\d+"', "", svg)
    svg = re.sub(r"(\d\.\d\d)\d+(?=[^<>]*>)", r"\1", svg)  # in attributes, not in labels
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    svg = svg.replace('id="patch_1"', 'class="paper"').replace(INK, "currentColor")
    return svg.replace("<svg ", f'<svg color="{INK}" font-family="sans-serif" ', 1)
