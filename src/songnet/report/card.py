"""The model card that lies beside a file of weights."""

from pathlib import Path

from songnet.evaluation.runs import protocol_of
from songnet.io import read_json
from songnet.models.base import load
from songnet.report.glossary import PROTOCOLS
from songnet.report.pages import write_page


def write_card(weights: str | Path, run: str | Path, path: str | Path) -> None:
    """Write what a served network was trained on, how accurate it is and what it is not for.

    Args:
        weights: file of weights, as `songnet.realtime.served.keep_best` writes it.
        run: folder of the run that it comes from, whose metrics have the scores of genres.
        path: of the card, Markdown.
    """
    network, genres, facts = load(weights)
    measured = facts["measured"]
    write_page(
        "model_card.md", path,
        weights=Path(weights).name, genres=genres, measured=measured,
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        facts={"archives": {}, "note": "", "pretrained": "", "spectrogram": None} | facts,
        protocol=PROTOCOLS[protocol_of(facts["protocol"])],
        scores=read_json(Path(run) / "metrics.json")[measured["subset"]]["genres"],
    )  # fmt: skip
