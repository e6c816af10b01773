"""Notes shown with every result: origin of the music and features, and missing measurements."""

from pathlib import Path
from typing import Any

from songnet.pipeline import plan
from songnet.pipeline.preview import Preview

Table = dict[str, Any]
FMA_FEATURES = (
    "The features of the baselines come from features.csv, which FMA computed on untrimmed tracks, "
    "not on the 30 s clips."
)
OWN_FEATURES = "The features of the baselines come from {}; SongNet did not compute them."
OWN_ARCHIVES = "The archives are not FMA's originals, so the tracks may differ."
NO_ARTISTS = "No track has an artist, so an artist leak cannot be ruled out."
FEW_ARTISTS = "There is no artist split, so the artist leak is not measured: {}."


def without(left_out: dict[str, str]) -> list[str]:
    """Return one line per skipped protocol with the reason."""
    return [f"songnet: skipping the protocol {name}: {lack}" for name, lack in left_out.items()]


def described(config: Table, dataset: Table, features: str, seen: Preview) -> Table:
    """Return the datasets.yaml entry with the title, genres and note of this run.

    Args:
        config: from `songnet.pipeline.configuration.check`.
        dataset: entry of datasets.yaml.
        features: from `songnet.pipeline.plan.features_source`.
        seen: from `songnet.pipeline.preview.preview`.
    """
    title = dataset["title"]
    if dataset["source"] == "folder":
        title = f"{title} ({Path(plan.local_path(config['audio'])).name})"
    if not seen.is_listed:
        title = f"{title} (own archives)"
    note = dataset_note(config, dataset, features, seen)
    genres = dataset["genres"] if seen.is_listed else None
    return dataset | {"title": title, "genres": genres, "note": note}


def dataset_note(config: Table, dataset: Table, features: str, seen: Preview) -> str:
    """Return the note shown with every result; the arguments are those of `described`."""
    notes = [] if seen.is_listed else [OWN_ARCHIVES]
    if config["tracks_per_genre"] is not None:
        few = f"{config['tracks_per_genre']} tracks per genre"
        notes.append(f"A sample of {few}: too few for results worth quoting.")
    if features == "published":
        of_fma = dataset["source"] == "download" and seen.is_listed
        notes.append(
            FMA_FEATURES if of_fma else OWN_FEATURES.format("the archives' own features.csv")
        )
    elif plan.is_sampled(config, dataset):
        notes.append("The features of the baselines were computed on the 30 s clips.")
    if not seen.has_artists:
        notes.append(NO_ARTISTS)
    elif "artist" in config["protocols"] and "artist" in seen.problems:
        notes.append(FEW_ARTISTS.format(seen.problems["artist"]))
    return " ".join([*notes, dataset["note"]]).strip()
