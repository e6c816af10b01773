"""Figures as PNG files."""

import textwrap
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from songnet.colours import PALETTE, PROTOCOLS, text_on_heat
from songnet.data.subsets import judging_part
from songnet.evaluation.runs import RunName, protocol_of
from songnet.formatting import in_percent
from songnet.io import replacing

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

Models = dict[str, dict[str, Any]]


def accuracy_figure(
    results: pd.DataFrame, models: Models, dataset: dict[str, Any], path: str
) -> None:
    """Accuracy of each model with its interval, a colour for each protocol, × for the poster.

    Where a protocol has no test part, rings show the validation accuracy.
    """
    untested = results["accuracy"].isna()
    known = results.assign(accuracy=results["accuracy"].fillna(results["validation_accuracy"]))
    names = [name for name in models if name in set(known["model"])]
    places = {name: len(names) - i for i, name in enumerate(names)}
    figure, axes = plt.subplots(figsize=(8, 1.6 + 0.5 * len(names)), layout="constrained")
    for k, (protocol, rows) in enumerate(known.groupby("protocol", sort=False)):
        y = rows["model"].map(places) + 0.22 * (1 - k)
        validated = untested[rows.index].any()
        spread = np.abs(rows[["ci_low", "ci_high"]].sub(rows["accuracy"], axis=0)).T
        axes.errorbar(
            100 * rows["accuracy"], y, xerr=100 * spread.to_numpy(), fmt="o", capsize=3,
            color=PROTOCOLS[str(protocol)], fillstyle="none" if validated else "full",
            label=f"{protocol} split" + (", validation part" if validated else ""),
        )  # fmt: skip
    poster = known.dropna(subset="poster_accuracy").drop_duplicates("model")
    if len(poster):
        claimed = 100 * poster["poster_accuracy"]
        axes.plot(claimed, poster["model"].map(places), "kx", label="poster")
    axes.set_yticks(list(places.values()), [models[name]["title"] for name in names])
    axes.set_xlim(0, 100)
    told = "; ×: of the poster's own division" if len(poster) else ""
    what = "accuracy" if untested.any() else "test accuracy"
    axes.set_xlabel(f"{what} in % (bars: interval, bootstrap over artists{told})")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
    axes.set_ylim(0.5, len(names) + 1.2)
    _finish(figure, f"Accuracy on {dataset['title']}", path, dataset["note"])


def confusion_figure(counts: pd.DataFrame, title: str, path: str, note: str = "") -> None:
    """Heat map of one model: share of each true genre's tracks, with counts.

    Args:
        counts: rows of confusions.csv for one protocol and model, summed over runs.
        title: of the figure.
        path: PNG file.
        note: what must be known about the data.
    """
    part = judging_part(counts["part"])
    matrix = counts[counts["part"] == part].pivot(
        index="genre", columns="predicted", values="verdicts"
    )
    shares = matrix.div(matrix.sum(axis=1).clip(lower=1), axis=0).to_numpy()
    names = [genre if len(genre) <= 40 else f"{genre[:39]}…" for genre in map(str, matrix)]
    # Fixed margins: matplotlib's layout engine would take most of the time. Inches, at 10 points.
    longest = 0.08 * max(map(len, names))
    left, bottom, top = 0.5 + longest, 0.7 + 0.7 * longest, 0.5
    width, height = 2.6 + left + 0.62 * len(matrix), 0.8 + bottom + top + 0.62 * len(matrix)
    figure, axes = plt.subplots(figsize=(width, height))
    figure.subplots_adjust(
        left=left / width, bottom=bottom / height, right=0.98, top=1 - top / height
    )
    image = axes.imshow(100 * shares, cmap="viridis", vmin=0, vmax=100)
    for i, j in np.argwhere(shares):  # empty cells stay empty
        share = shares[i, j]
        axes.text(
            j, i, f"{in_percent(share, 0)}\n({matrix.iat[i, j]})", ha="center", va="center",
            fontsize=7, color=text_on_heat(share),
        )  # fmt: skip
    axes.set_xticks(range(len(matrix)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(matrix)), names)
    axes.set_xlabel("predicted genre")
    axes.set_ylabel(f"true genre, {part} part")
    figure.colorbar(image, shrink=0.8, label="% of the true genre's tracks (counts over runs)")
    _finish(figure, title, path, note)


def training_figure(
    histories: dict[RunName, pd.DataFrame],
    models: Models,
    path: str,
    note: str = "",
) -> None:
    """Loss and validation accuracy over epochs; one panel column for each network.

    Args:
        histories: history.csv of each run.
        models: entries of models.yaml.
        path: PNG file.
        note: what must be known about the data.
    """
    names = list(dict.fromkeys(model for _, model, _ in histories))
    figure, axes = plt.subplots(
        2, max(1, len(names)), figsize=(2 + 4 * max(1, len(names)), 6), sharex="col",
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for column, name in enumerate(names):
        top, bottom = axes[:, column]
        labelled = set()
        for (split, model, _), history in histories.items():
            if model != name:
                continue
            protocol = protocol_of(split)
            style = {"color": PROTOCOLS[protocol], "linewidth": 1.2}
            label = None if protocol in labelled else f"{protocol} split"
            labelled.add(protocol)
            top.plot(history["epoch"], history["train_loss"], **style, label=label)
            top.plot(history["epoch"], history["validation_loss"], **style, linestyle=":")
            bottom.plot(history["epoch"], 100 * history["validation_accuracy"], **style)
            kept = history["kept"].iloc[-1] == history["epoch"]
            for panel, height in (
                (top, history["validation_loss"]),
                (bottom, 100 * history["validation_accuracy"]),
            ):
                panel.plot(history["epoch"][kept], height[kept], "o", **style)
        top.set_title(models[name]["title"])
        top.set_ylabel("loss")
        top.plot([], [], color="grey", label="training")
        top.plot([], [], color="grey", linestyle=":", label="validation")
        bottom.set_ylabel("validation accuracy in %")
        bottom.set_xlabel("epoch (dots: the one that was kept)")
        bottom.xaxis.get_major_locator().set_params(integer=True)
        top.legend(frameon=False)
        for panel in (top, bottom):
            panel.grid(alpha=0.3)
    _finish(figure, "Training", path, note)


def reliability_figure(reliability: pd.DataFrame, path: str) -> None:
    """Accuracy against confidence with its interval, and how many verdicts each bin holds.

    Args:
        reliability: from `songnet.evaluation.error_analysis.reliability`.
        path: PNG file.
    """
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(5.5, 5.5), height_ratios=[3, 1], sharex=True, layout="constrained"
    )
    top.plot([0, 100], [0, 100], color="grey", linestyle=":", label="as sure as right")
    spread = np.abs(reliability[["ci_low", "ci_high"]].sub(reliability["accuracy"], axis=0)).T
    top.errorbar(
        100 * reliability["confidence"], 100 * reliability["accuracy"], 100 * spread.to_numpy(),
        fmt="o-", capsize=3, color="#0072B2", label="network, with intervals",
    )  # fmt: skip
    top.set_ylabel("right, in %")
    top.set_ylim(-3, 103)  # dots at 0 and 100 % are whole
    top.set_xlim(0, 103)
    top.legend(frameon=False)
    top.grid(alpha=0.3)
    width = 100 * (reliability["high"] - reliability["low"])
    bars = bottom.bar(
        100 * reliability["low"], reliability["verdicts"], width, align="edge", color="#56B4E9",
        edgecolor="white",
    )  # fmt: skip
    bottom.bar_label(bars, fontsize=8)
    bottom.margins(y=0.2)
    bottom.set_ylabel("verdicts")
    bottom.set_xlabel("confidence: probability of the verdict, in %")
    _finish(figure, "Confidence and accuracy", path)


def heard_figure(heard: pd.DataFrame, models: Models, path: str, note: str = "") -> None:
    """Accuracy against seconds heard; one panel for each protocol, a line for each network.

    Args:
        heard: heard.csv.
        models: entries of models.yaml.
        path: PNG file.
        note: what must be known about the data.
    """
    protocols = list(heard["protocol"].unique())
    columns = max(1, len(protocols))  # none if a step takes longer than all of heard_seconds
    figure, panels = plt.subplots(
        1, columns, figsize=(1 + 4.2 * columns, 4.4), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axes, protocol in zip(panels[0], protocols, strict=False):
        rows = heard[heard["protocol"] == protocol]
        for k, (model, line) in enumerate(rows.groupby("model", sort=False)):
            seconds = line["seconds"]
            colour = PALETTE[k % len(PALETTE)]
            title = models[str(model)]["title"]
            axes.plot(seconds, 100 * line["accuracy"], "o-", color=colour, label=title)
            axes.fill_between(
                seconds, 100 * line["ci_low"], 100 * line["ci_high"], color=colour, alpha=0.15
            )
        ticks = sorted(rows["seconds"].unique())
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("seconds heard from the beginning of the clip")
        axes.set_title(f"{protocol} split, {rows['part'].iloc[0]} part")
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel("accuracy in % (band: interval over artists)")
    panels[0][0].legend(frameon=False)
    _finish(figure, "How soon can one tell?", path, note)


def _finish(figure: Figure, title: str, path: str, note: str = "") -> None:
    """Title, the data set's note, and the file."""
    figure.suptitle(title)
    lines = textwrap.wrap(note, round(17 * figure.get_figwidth()))
    figure.supxlabel("\n".join(lines), fontsize=7, color="#555555")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    plt.close(figure)
