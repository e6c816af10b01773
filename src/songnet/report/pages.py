"""Pages from templates; those in HTML open offline: everything they show is inside the file."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import soundfile as sf
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from songnet import __version__
from songnet.data.clips import AudioSource, ClipSource
from songnet.formatting import percent
from songnet.io import replacing

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TEMPLATES = Path(__file__).parent / "templates"
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
    environment.globals |= {
        "read": lambda name: Markup((TEMPLATES / name).read_text("utf-8")),
        "version": __version__,
    }
    environment.filters |= {
        "percent": percent,
        "markdown": lambda rows: rows.to_markdown(index=False, disable_numparse=True),
        "svg": lambda file: Markup(Path(file).read_text("utf-8")),
    }
    page = environment.get_template(template).render(**values)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


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
    """

    def __init__(self, source: ClipSource) -> None:
        self._source = source if isinstance(source, AudioSource) else None

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
        with self._source.samples(EXCERPT_RATE, start + seconds) as read:
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
