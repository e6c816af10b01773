"""The report's sentences; every one follows from the figures."""

from typing import Any

from songnet.formatting import percent, signed_points

Values = dict[str, Any]

# What a protocol's tracks are, after "right on 53.4 % of".
TRACKS = {
    "artist": "tracks by artists that it has never heard",
    "official": "tracks of the official {part} part",
    "random": "tracks of a random {part} part, where artists leak",
}
PROTOCOLS = {
    "artist": "No named artist stands in two parts: what a new artist's track would meet.",
    "official": "The division that tracks.csv gives. FMA's keeps each artist in one part; that of "
    "other data need not.",
    "random": "Tracks divided at random, in the poster's shares: artists stand in several parts, "
    "and to know the artist helps to know the genre.",
}
POSTER = (
    "× is the poster's figure: its baselines' are of FMA's official division, its C-RNN's we count "
    "to the random one. Points of another division are not comparable with it."
)
# Of fewer, the bootstrap gives too narrow intervals: docs/methods.md has the figures.
TOO_NARROW_BELOW = 20


def title(found: Values, model: str) -> str:
    """Which model, how good, on what: the heading.

    Args:
        found: from `songnet.report.values.headline`.
        model: its title.
    """
    tracks = TRACKS[found["protocol"]].format(part=found["part"])
    return f"{model[0].upper()}{model[1:]}: right on {percent(found['accuracy'])} of {tracks}"


def certainty(
    found: Values,
    model: str,
    baseline: str | None,
    confidence: float,
    claim: Values | None = None,
) -> list[str]:
    """How sure the heading is: interval, leak, best baseline, the poster.

    Args:
        found: from `songnet.report.values.headline`.
        model: its title.
        baseline: title of the best baseline, or None.
        confidence: of the intervals.
        claim: from `songnet.report.values.poster_claim`.
    """
    sentences = [_interval(found, confidence)]
    if found["leak"] is not None:
        sentences.append(
            "Accuracy of the same model under the random split, where artists stand in training "
            f"and test, less that above: {_points(found['leak'])}."
        )
    if baseline and found["difference"]:
        sentences.append(_against(found, model, baseline))
    elif baseline:
        sentences.append(
            f"The baseline that validates best, {baseline}, reaches "
            f"{percent(found['baseline_accuracy'])}."
        )
    if claim:
        ours = ", ".join(
            f"on {percent(accuracy)} under {protocol}"
            for protocol, accuracy in claim["accuracies"].items()
        )
        sentences.append(
            f"The poster gives {percent(claim['claimed'], 2)} for its {claim['model']}, which "
            f"we count to the {claim['protocol']} split. Trained here, it is right {ours}."
        )
    return sentences


def _interval(found: Values, confidence: float) -> str:
    size = (
        f"{found['tracks']:,} tracks of {found['artists']:,} artists"
        + (f", {found['unnamed']:,} of them of none that is named" if found["unnamed"] else "")
        + f", which weigh as {found['effective_artists']:.0f} of equal size"
        + (f" in {found['divisions']} divisions" if found["divisions"] > 1 else "")
        + f", {_count(found['runs'], 'run')}"
    )
    guess = f"Guessing is right on {percent(found['guess'])}"
    if found["largest"] > 1.2 * found["guess"]:
        guess += f", always naming the largest genre on {percent(found['largest'])}"
    if found["ci_low"] is None:
        return (
            f"There is no test part here, so this is the validation part ({size}), which also "
            f"chose the model: a new measurement would find less. {guess}."
        )
    low, high = percent(found["ci_low"]), percent(found["ci_high"])
    interval = f"{100 * confidence:g} % interval over artists: {low} to {high} ({size})"
    if found["effective_artists"] < TOO_NARROW_BELOW:
        interval += ", which of so few artists is too narrow"
    return f"{interval}. {guess}."


def _against(found: Values, model: str, baseline: str) -> str:
    _, low, high = found["difference"]
    chance = "the choice of artists" + (" and of trainings" if found["pairs"] > 1 else "")
    if found["effective_artists"] < TOO_NARROW_BELOW:
        verdict = "of too few artists to say more"
    elif low > 0:
        verdict = f"more than {chance} explains"
    elif high < 0:
        verdict = f"and the baseline is better by more than {chance} explains"
    else:
        verdict = f"which {chance} could explain"
    return (
        f"The baseline that validates best, {baseline}, is right on "
        f"{percent(found['baseline_accuracy'])}; {model} less it, track for track: "
        f"{_points(found['difference'])}, {verdict}."
    )


def division_text(summary: Values) -> str:
    """Sizes of the parts and whether artists leak.

    Args:
        summary: from `songnet.data.splits.split_summary`.
    """
    sizes = ", ".join(
        f"{part} {tracks:,} tracks of {summary['artists'][part]:,} artists"
        for part, tracks in summary["tracks"].items()
        if tracks
    )
    leaked = summary["test_tracks_by_train_artists"]
    if leaked is None:
        return f"{sizes}; no test part."
    unnamed = {part: summary[f"{part}_tracks_without_artist"] for part in ("test", "train")}
    known = ""
    if any(unnamed.values()):
        known = (
            f", as far as is known: {unnamed['test']:,} of them and {unnamed['train']:,} of the "
            "training part name no artist"
        )
    return (
        f"{sizes}. {percent(leaked)} of the test tracks are by artists of the training part{known}."
    )


def duration(seconds: float) -> str:
    """A time in the unit that suits it: 0.4 s, 23 min, 3.9 h."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _points(figures: list[float]) -> str:
    """A difference of shares with its interval: +9.5 points [+6.1, +12.9]."""
    difference, low, high = map(signed_points, figures)
    return f"{difference} points [{low}, {high}]"


def _count(number: int, name: str) -> str:
    return f"{number} {name}" + ("" if number == 1 else "s")
