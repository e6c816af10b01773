"""Pages contain everything they show."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from jinja2 import UndefinedError

from songnet.colours import genre_colours
from songnet.data.fma_zip import FmaZip, member_name
from songnet.data.precomputed_mels import PrecomputedMels
from songnet.report.pages import Excerpts, spectrogram_image, write_page
from tests.archives import write_archive


def test_excerpts_audio_cuts_start_and_length(tmp_path: Path) -> None:
    samples = np.zeros(44_100 * 4, np.float32)
    time = np.arange(44_100) / 44_100
    samples[2 * 44_100 : 3 * 44_100] = 0.2 * np.sin(2 * np.pi * 440 * time)
    clip = io.BytesIO()
    sf.write(clip, np.column_stack([samples, samples]), 44_100, format="MP3")
    write_archive(tmp_path / "fma_small.zip", {member_name("small", 7): clip.getvalue()})
    uri = Excerpts(FmaZip([str(tmp_path / "fma_small.zip")]), 30).audio(7, 2.0, 1.0)
    kind, _, content = uri.partition(",")
    assert kind == "data:audio/mpeg;base64"
    cut, rate = sf.read(io.BytesIO(base64.b64decode(content)))
    assert (rate, cut.ndim) == (22_050, 1)
    assert len(cut) / rate == pytest.approx(1.0, abs=0.1)
    assert np.abs(cut).max() == pytest.approx(0.9, abs=0.1)
    spectrum = np.abs(np.fft.rfft(cut))
    assert np.fft.rfftfreq(len(cut), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=2)
    assert Excerpts(PrecomputedMels(["mels-00.npz"]), 30).audio(7, 2.0, 1.0) == ""


def test_excerpts_audio_of_silent_part(tmp_path: Path) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal(30 * 22_050)
    samples[: 12 * 22_050] = 0
    clip = io.BytesIO()
    sf.write(clip, samples, 22_050, format="FLAC")
    write_archive(tmp_path / "fma_small.zip", {member_name("small", 7): clip.getvalue()})
    excerpts = Excerpts(FmaZip([str(tmp_path / "fma_small.zip")]), 30)
    for start, silent in [(0, True), (11, False)]:
        content = excerpts.audio(7, start, 10).partition(",")[2]
        cut, rate = sf.read(io.BytesIO(base64.b64decode(content)))
        assert len(cut) / rate == pytest.approx(10, abs=0.1)
        assert bool(np.abs(cut).max() < 1e-3) is silent


def test_spectrogram_image_has_low_bands_at_bottom() -> None:
    from matplotlib.image import imread

    mel = np.full((8, 5), -80.0)
    mel[0] = 0.0  # the lowest band is loud
    content = base64.b64decode(spectrogram_image(mel).partition(",")[2])
    image = imread(io.BytesIO(content))
    assert image.shape[:2] == (8, 5)
    assert image[-1, 0, :3].sum() > 2 > image[0, 0, :3].sum()


FILTERS = {
    "dataset": {"title": "<b>", "note": ""}, "network": {"title": "m", "protocol": "artist"},
    "subset": "test", "clips": 3, "excerpt_seconds": "3", "has_audio": False,
    "colours": genre_colours(["Rock", "Folk"]), "layers": {},
}  # fmt: skip


def test_filters_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_page("filters.html", page, **FILTERS)
    text = page.read_text()
    assert (
        "This network has no convolutional layers." in text
        and "F statistic" not in text
        and "Glossary" not in text
    )
    assert "&lt;b&gt;" in text and "<b>" not in text
    assert "http" not in text  # nothing to fetch
    filters = [
        {"number": number, "f_statistic": statistic, "text": "100 % Folk", "genres": {"Folk": 1.0},
         "effect": "changes no accuracy", "excerpts": []}
        for number, statistic in ((3, 12.34), (5, 0.0))
    ]  # fmt: skip
    write_page("filters.html", page, **FILTERS | {"layers": {1: filters}})
    first, second = page.read_text().partition("<h3>Filter 3")[2].split("<h3>Filter 5")
    assert "F statistic</a> 12.3. <a" in first and "</a> undefined. <a" in second
    with pytest.raises(UndefinedError):
        write_page("filters.html", page)


def test_analysis_page_escapes_and_keeps_intervals_together(tmp_path: Path) -> None:
    rows = pd.DataFrame({"model": ["<script>"], "accuracy": ["54.3 ± 1.2 [50.1, 58.2]"]})
    page = tmp_path / "page.html"
    analysis: dict[str, Any] = {
        key: {} for key in ("genres", "nearest", "facts", "figures", "colours")
    }
    figure = tmp_path / "figure.svg"
    figure.write_text("<svg></svg>")
    values = {
        "artists": rows, "neighbours": rows, "figure": figure, "level": 0.95, "served": True,
        "accuracy": "50.0 %", "interval": "", "confident_errors": [],
    }  # fmt: skip
    write_page("analysis.html", page, **FILTERS | analysis | values)
    text = page.read_text()
    cells = "<td>54.3\u00a0±\u00a01.2 <small>[50.1,\u00a058.2]</small></td>"
    assert f'<th scope="row">&lt;script&gt;</th>{cells}' in text
    assert "Bars: 95\u00a0% <a" in text and "<svg></svg>" in text
