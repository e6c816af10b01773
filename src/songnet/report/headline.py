"""The headline of the report: the best model by validation, and what to compare it with.

The test set chooses nothing here.
"""

from typing import Any, NamedTuple

import pandas as pd

from songnet.evaluation.bootstrap import effective_artists
from songnet.evaluation.runs import protocol_of
from songnet.formatting import counted, in_percent, listed, percent, signed_points
from songnet.report.findings import Findings

# With fewer, bootstrap intervals are too narrow: docs/explanation/statistics.md has the figures.
TOO_NARROW_BELOW = 20  # effective artists
FEW_TRACKS = 10  # of a genre in a split
ENOUGH_SPLITS = 5
OTHER_SPLITS = "'split_seeds=[101,102,103,104,105]'"


class Headline(NamedTuple):
    """The headline's figures; each text has its interval or source in brackets."""

    model: str  # its title
    accuracy: str
    interval: str  # of the accuracy; empty where it is unknown
    split: str  # that it is measured on
    basis: dict[str, str]  # what it is measured on, how the model was chosen
    figures: dict[str, str]  # to compare it with: chance, best baseline, artist leak, poster
    warnings: dict[str, str]

    @property
    def title(self) -> str:
        """The accuracy in one line."""
        return f"{self.model[0].upper()}{self.model[1:]}: {self.accuracy} accuracy ({self.split})"

    @property
    def facts(self) -> dict[str, str]:
        """All facts below the title."""
        return self.basis | self.figures | self.warnings


def headline(found: Findings) -> Headline:
    """Name the best model by validation, its accuracy, and what to compare it with.

    Args:
        found: results of the run, its splits and tracks.
    """
    protocol, subset = next(iter(found.subsets.items()))
    model = str(found.best(protocol))
    rows = found.results[found.results["protocol"] == protocol].set_index("model")
    accuracy = rows["accuracy" if subset == "test" else "validation_accuracy"].astype(float)
    return Headline(
        model=found.title(model),
        accuracy=percent(accuracy[model]),
        interval=_ci(found, rows.loc[model], in_percent),
        split=f"{protocol} split" + ("" if subset == "test" else ", validation"),
        basis={
            "measured on": _sample(found, protocol, subset),
            "chosen by": _choice(found, protocol, model),
        },
        figures={"chance": percent(1 / found.confusions["genre"].nunique())}
        | _comparison(found, protocol, model, accuracy)
        | _leak(found, model)
        | _poster(found, protocol),
        warnings=_advice(found, protocol, subset),
    )


def _comparison(found: Findings, protocol: str, model: str, accuracy: pd.Series) -> dict[str, str]:
    """The best baseline by validation, and the difference from it or from another reference."""
    figures = {}
    baseline = found.best(protocol, "baseline")
    if baseline and baseline != model:
        figures["best baseline"] = f"{percent(accuracy[baseline])} ({found.title(baseline)})"
    for row in found.differences.query("protocol == @protocol").to_dict("records"):
        if (row["reference"], row["model"]) == (model, baseline):
            other, difference = baseline, row
        elif row["model"] == model:
            ends = {"ci_low": -row["ci_high"], "ci_high": -row["ci_low"]}
            other, difference = row["reference"], ends | {"difference": -row["difference"]}
        else:
            continue
        name = f"{found.title(model)} − {found.title(other)}"
        figures[name] = _points(found, difference, "difference")
    return figures


def _leak(found: Findings, model: str) -> dict[str, str]:
    leaks = found.leaks.set_index("model").to_dict("index")
    return {"artist leak": _points(found, leaks[model], "leak")} if model in leaks else {}


def _ci(found: Findings, row: Any, text: Any) -> str:
    if pd.isna(row["ci_low"]):
        return ""
    level = f"{100 * found.confidence:g} % CI"
    return f"{level} {text(row['ci_low'])} to {text(row['ci_high'])}"


def _points(found: Findings, row: Any, column: str) -> str:
    points, interval = f"{signed_points(row[column])} points", _ci(found, row, signed_points)
    return f"{points} ({interval})" if interval else points


def _sample(found: Findings, protocol: str, subset: str) -> str:
    """Size of what the accuracy is measured on; tracks and artists of several splits count once."""
    subsets = [rows for name, rows in found.splits.items() if protocol_of(name) == protocol]
    everywhere = [track_id for rows in subsets for track_id in rows.index[rows == subset]]
    artists = found.tracks.loc[everywhere, "artist_id"]
    once = artists[~artists.index.duplicated()]
    effective = effective_artists(artists)
    return (
        f"{len(once):,} {subset} tracks by {once.nunique():,} artists"
        + (f" and {once.isna().sum():,} without an artist" if once.isna().any() else "")
        + f" over {counted(len(subsets), 'split')} ({effective:.0f} effective artists"
        + ("; with so few, intervals are too narrow)" if effective < TOO_NARROW_BELOW else ")")
    )


def _choice(found: Findings, protocol: str, model: str) -> str:
    """How the model was chosen, and whether the validation tracks can tell it from others."""
    rows = found.choice[found.choice["protocol"] == protocol]
    if rows.empty:
        return "being the only model"
    tracks, effective = int(rows["tracks"].iloc[0]), rows["effective_artists"].iloc[0]
    results = found.results[found.results["protocol"] == protocol].set_index("model")
    text = f"validation accuracy, {percent(results.loc[model, 'validation_accuracy'])} on "
    text += f"{tracks:,} tracks ({effective:.0f} effective artists)"
    if effective < TOO_NARROW_BELOW:
        return f"{text}; with so few, the choice says little"
    close = [found.title(name) for name in rows["model"][rows["ci_low"] <= 0]]
    if close:
        text += f"; not significantly better there than {listed(close, most=2)}"
    return text


def _advice(found: Findings, protocol: str, subset: str) -> dict[str, str]:
    """What to do about splits that say little, or that took part in choosing settings."""
    facts = {}
    splits = {name: rows for name, rows in found.splits.items() if protocol_of(name) == protocol}
    fewest = min(
        int((found.tracks.loc[rows.index[rows == subset], "genre"].value_counts()).min())
        for rows in splits.values()
    )
    if protocol != "official" and fewest < FEW_TRACKS and len(splits) < ENOUGH_SPLITS:
        facts["advice"] = (
            f"A genre has only {counted(fewest, f'{subset} track')} in a split, so another split "
            f"may change accuracies by many points: run several, e.g. {OTHER_SPLITS}."
        )
    if protocol != "official" and found.tuned:
        facts["tuning"] = (
            f"split_seeds {listed(map(str, found.tuned))} took part in choosing the networks' "
            f"settings: figures to quote need others, e.g. {OTHER_SPLITS}."
        )
    return facts


def _poster(found: Findings, protocol: str) -> dict[str, str]:
    """The poster's best accuracy beside that of the same model here."""
    known = found.results.dropna(subset=["poster_accuracy", "accuracy"])
    if protocol not in set(known["protocol"]):
        return {}
    best = known.loc[known["poster_accuracy"].idxmax()]
    ours = known[known["model"] == best["model"]].set_index("protocol")["accuracy"]
    here = ", ".join(f"{percent(ours[name])} {name}" for name in found.subsets if name in ours)
    claimed = percent(best["poster_accuracy"], 2)
    belongs = found.family(best["model"]).poster_protocol
    return {f"poster's {found.title(best['model'])}": f"{claimed} ({belongs} split; here {here})"}
