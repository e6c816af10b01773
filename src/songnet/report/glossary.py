"""Terms of pages: each is defined once, shown where it occurs and listed at the end of the page."""

import re
from typing import NamedTuple

from markupsafe import Markup, escape

PROTOCOLS = {
    "artist": "No artist is in two subsets: accuracy on music by new artists.",
    "official": "The data set's own split. FMA's keeps each artist in one subset; that of other "
    "data need not. Tracks without a subset take no part.",
    "random": "Tracks are split at random. Artists are in several subsets, which raises the "
    "accuracy.",
}


class Term(NamedTuple):
    """A term and what it means."""

    name: str
    definition: str
    where: str = ""  # pattern of its occurrences; by default the name and its plural

    @property
    def pattern(self) -> str:
        """Pattern of its occurrences in escaped text."""
        return self.where or rf"\b{self.name}s?\b"

    @property
    def address(self) -> str:
        """Its place in the glossary."""
        return "term-" + re.sub(r"\W+", "-", self.name)


# Where two begin at one place, the first is taken.
TERMS = [
    *(
        Term(f"{name} split", text, rf"\b{name}(?=\s%)|\b{name} split")
        for name, text in PROTOCOLS.items()
    ),
    Term(
        "CI",
        "Confidence interval, by bootstrap over artists. It covers the choice of test artists, not "
        "new trainings or splits. Below 20 effective artists it is too narrow.",
    ),
    Term(
        "effective artists",
        "Number of artists with equally many tracks that would give as precise a mean: "
        "(Σ n)² / Σ n², with n tracks by each artist.",
        r"\beffective artists",
    ),
    Term(
        "validation",
        "There is no test set. Validation tracks chose the best model too, so expect a little less "
        "of it on new music.",
        r"(?<=\()validation(?=\))",
    ),
    Term("chance", "Accuracy of guessing, 1 / number of genres.", "^chance$"),
    Term("best baseline", "Of the scikit-learn models, the best one on validation."),
    Term("artist leak", "Accuracy under the random split minus accuracy under the artist split."),
    Term(
        "reference − model",
        "Accuracy of the reference minus that of the model, on the same test tracks. Of a dozen "
        "intervals, one may exclude 0 by chance.",
        r"^reference − model(?= \()",
    ),
    Term(
        "reference",  # A
        "The model of the best validation accuracy, or the key reference of the configuration. Its "
        "runs and another model's on one split and seed are compared track by track.",
        "^A$",
    ),
    Term(
        "pairs of runs",
        "Runs of both models on one split and seed. Splits are resampled together with artists or, "
        "with only one split, pairs. With fewer than six of them, the interval is too narrow if "
        "they differ more than artists do.",
    ),
    Term(
        "log-loss",
        "Mean of −ln of the true genre's probability (10⁻¹² at least); lower is better.",
    ),
    Term(
        "losses",
        "Training loss is measured on crops, with dropout, label smoothing and auxiliary losses, "
        "validation loss is the log-loss of whole clips.",
        r"(?<=two )losses",
    ),
    Term("macro F1", "Mean of the genres' F1."),
    Term("F1", "Harmonic mean of precision and recall."),
    Term("top-2", "The true genre is among the two likeliest.", r"\btop-2 (?:accuracy|recall)"),
    Term("recall", "Share of a genre's tracks that are predicted as it."),
    Term("precision", "Share of a genre's predictions that are correct."),
    Term("predictions", "Tracks, counted once for each run.", "^predictions$"),
    Term(
        "poster",
        "Accuracy reported on the poster, and the protocol it was measured under (for its C-RNN, "
        "the most likely one). It is not comparable with other protocols.",
        r"^poster(?=\s%|(?:'|&#39;)s)",  # as it is or escaped
    ),
    Term(
        "test tracks by training artists",
        "Share of test tracks whose artist is in the training set, too.",
    ),
    Term(
        "deviation",
        "Largest difference between a genre's share in a subset and the configured share.",
        r"(?<=largest )deviation",
    ),
    Term("confidence", "Probability of the predicted genre."),
    Term("calibration error", "Mean gap between confidence and accuracy, over ten bins."),
    Term("another label", "The prediction is not the track's main genre but another label of it."),
    Term(
        "nearest artist",
        "By cosine between the mean directions of the embeddings of the artists' tracks.",
        r"^nearest artist\b|\bnearest one$",
    ),
    Term(
        "F statistic",
        "One-way analysis of variance of a filter's activation between genres.",
    ),
    Term(
        "best network on validation",
        "Of the networks trained here that run in real time and need no metadata; of all networks "
        "where there is none.",
    ),
    Term("top tenth", "The clips that activate the filter most.", "^Top tenth$"),
    Term("silenced", "The filter's output is set to 0 for the whole test set.", r"\b[Ss]ilenced"),
]


class Glossary:
    """Links terms to their definitions, and remembers which ones a page has used.

    Args:
        html: whether texts are for HTML; in Markdown terms are remembered alone.
    """

    def __init__(self, html: bool) -> None:
        self.html = html
        self._pattern = re.compile("|".join(f"({term.pattern})" for term in TERMS))
        self._used: set[Term] = set()

    def mark(self, text: str) -> str:
        """Escape a text and link each term in it.

        Args:
            text: a heading or a sentence.
        """
        linked = self._pattern.sub(self._link, str(escape(text)))
        return Markup(linked) if self.html else text

    def _link(self, found: re.Match[str]) -> str:
        term = TERMS[(found.lastindex or 1) - 1]
        self._used.add(term)
        return (
            f'<a class="term" href="#{term.address}" aria-describedby="{term.address}">'
            f"{found.group()}</a>"
        )

    @property
    def used(self) -> list[Term]:
        """Terms that have been marked."""
        return [term for term in TERMS if term in self._used]
