"""Pages from templates; those in HTML open offline: everything they show is inside the file."""

import base64
import io
import re
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import soundfile as sf
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from numpy.typing import NDArray

from songnet import __version__
from songnet.data.clips import AudioSource, ClipSource
from songnet.formatting import markdown_text, percent
from songnet.io import replacing
from songnet.report.glossary import Glossary

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TEMPLATES = Path(__file__).parent / "templates"
TERMS_SCRIPT = Path(__file__).parents[1] / "realtime" / "web" / "terms.js"
EXCERPT_RATE = 22_050  # Hz, of audio in pages


def write_page(template: str, path: str | Path, **values: Any) -> None:
    """Fill a template of ``songnet/report/templates``, HTML or Markdown, and write the page.

    Args:
        template: file name.
        path: of the page.
        values: what the template names; a missing one is an error.
    """
    html = template.endswith(".html")
    environment = Environment(
        loader=PackageLoader("songnet.report"), autoescape=html, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        finalize=_unbroken if html else None,
    )  # fmt: skip
    glossary = Glossary(html)
    environment.globals |= {
        "style": Markup((TEMPLATES / "page.css").read_text("utf-8")),
        "terms_script": Markup(TERMS_SCRIPT.read_text("utf-8")),
        "glossary": glossary,
        "version": __version__,
    }
    environment.filters |= {
        "percent": percent,
        "terms": _mark_terms,
        "cell": _cell,
        "markdown": partial(_markdown_table, glossary),
        "svg": lambda file: Markup(Path(file).read_text("utf-8")),
    }
    page = environment.get_template(template).render(**values)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


@pass_context  # else Jinja would mark constants of branches that a page does not show
def _mark_terms(context: Context, text: str) -> str:
    """Link terms to their definitions."""
    glossary: Glossary = context["glossary"]
    return glossary.mark(_unbroken(text) if glossary.html else text)


def _cell(text: str) -> Markup:
    """A cell of a table, with its interval in small print."""
    figure, bracket, interval = str(_unbroken(text)).partition(" [")
    return Markup("{} <small>[{}</small>" if bracket else "{}").format(figure, interval)


def _markdown_table(glossary: Glossary, rows: pd.DataFrame) -> str:
    """Format a table of text."""
    for name in rows.columns:
        glossary.mark(name)
    escaped = rows.map(markdown_text).rename(columns=markdown_text)
    return str(escaped.to_markdown(index=False, disable_numparse=True))


def _unbroken(value: Any) -> Any:
    """Keep numbers with their percent signs, and intervals, on one line."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return re.sub(r" (?=%)|(?<=,) (?=[^\[\]]*\])| (?=± )|(?<=±) ", "\u00a0", value)


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address that holds them; ``kind`` is their MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def spectrogram_image(mel: NDArray[np.floating[Any]]) -> str:
    """Draw a mel-spectrogram (M, T) in dB as a PNG, low bands at the bottom."""
    file = io.BytesIO()
    mel = np.nan_to_num(mel.astype(np.float32))
    plt.imsave(file, mel, cmap="magma", origin="lower", vmin=mel.max() - 70, vmax=mel.max())
    return data_uri(file.getvalue(), "image/png")


class Excerpts:
    """Cuts audio for pages out of the clips of a data set.

    Args:
        source: of the clips; only some have sound.
        clip_seconds: of the longest clip.
    """

    def __init__(self, source: ClipSource, clip_seconds: float) -> None:
        self._source = source if isinstance(source, AudioSource) else None
        self._clip_seconds = clip_seconds

    @property
    def has_audio(self) -> bool:
        """Whether there is anything to cut."""
        return self._source is not None

    def audio(self, track_id: int, start: float, seconds: float) -> str:
        """Cut an excerpt of a clip, as mono MP3; empty where the data set has no audio.

        Args:
            track_id: of the clip.
            start: seconds from its beginning.
            seconds: length.
        """
        if self._source is None:
            return ""
        with self._source.samples(EXCERPT_RATE, self._clip_seconds, start + seconds) as read:
            samples = read(track_id)[int(start * EXCERPT_RATE) :]
        # Clips sound equally loud, and no click starts or ends them.
        samples = samples * min(0.9 / max(float(np.abs(samples).max()), 1e-6), 30.0)
        ramp = np.minimum(1, np.arange(len(samples)) / (0.01 * EXCERPT_RATE))
        file = io.BytesIO()
        sf.write(
            file,
            samples * ramp * ramp[::-1],
            EXCERPT_RATE,
            format="MP3",
            bitrate_mode="CONSTANT",
            compression_level=0.8,
        )  # 40 kbit/s
        return data_uri(file.getvalue(), "audio/mpeg")
