"""The Python API: its examples run, and its import is fast."""

import doctest
import importlib
import inspect
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import songnet
from songnet.realtime import model, results
from tests.unit.test_startup import HEAVY, loaded

EXAMPLES = [songnet, model, results]


@pytest.fixture
def folder(trained: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up the working directory of the examples, with a trained network and songs."""
    (tmp_path / "results/demo").mkdir(parents=True)
    shutil.copy(trained, tmp_path / "results/demo/best.safetensors")
    for name, genre in (("song.mp3", "Rock"), ("other.mp3", "Folk")):
        shutil.copy(min(clips.glob(f"{genre}*.mp3")), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_public_names_exist_with_docstrings() -> None:
    assert set(songnet.__all__) <= set(dir(songnet))
    for name in songnet.__all__:
        assert inspect.getdoc(getattr(songnet, name)), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        songnet.nothing  # noqa: B018
    assert (Path(songnet.__file__).parent / "py.typed").exists()


def test_import_songnet_loads_no_heavy_library() -> None:
    modules = loaded("import songnet")
    assert "songnet" in modules and not modules & HEAVY
    assert "torch" in loaded("import songnet; songnet.Model")


@pytest.mark.parametrize("module", EXAMPLES, ids=lambda module: module.__name__)
def test_docstring_examples_pass(module: Any, folder: Path) -> None:
    names = {"songnet": songnet, "np": np, "model": songnet.load()}
    found = doctest.testmod(importlib.import_module(module.__name__), extraglobs=names)
    assert found.failed == 0


def test_python_page_examples_pass(folder: Path) -> None:
    page = Path(__file__).parents[2] / "docs/how-to/python.md"
    found = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert found.attempted >= 8 and found.failed == 0


def test_classify_one_file_or_list(folder: Path) -> None:
    network = songnet.load()
    one = network.classify(Path("song.mp3"))
    several = network.classify(["song.mp3", "missing.mp3"])
    assert several[0] == one and several[0].to_dict() == one.to_dict()
    assert several[1].error == "no such file" and several[1].genre is None and several[1].unsure
    table = songnet.to_frame(several)
    assert table["prediction"].tolist()[0] == "Rock" and table["error"].tolist()[1]
    assert table.loc[0, network.genres].sum() == pytest.approx(1, abs=1e-5)
    with pytest.raises(songnet.SongNetError, match=r"missing\.mp3: no such file"):
        network.classify("missing.mp3")


@pytest.mark.parametrize("excerpt", [0, -5, np.nan, np.inf, "30"])
def test_classify_refuses_other_lengths(folder: Path, excerpt: Any) -> None:
    network = songnet.load()
    with pytest.raises(ValueError, match="excerpt must be a number of seconds or None"):
        network.classify("song.mp3", excerpt)
    with pytest.raises(ValueError, match="jobs must be 1 or more, not 0"):
        network.iter_classify(["song.mp3"], jobs=0)


def test_embed_equals_stream(folder: Path) -> None:
    """Both describe the whole file with the same numbers."""
    import soundfile as sf

    network = songnet.load()
    samples, rate = sf.read("song.mp3", dtype="float32")
    stream = network.stream(rate)
    last = (stream.push(samples) + stream.finish())[-1]
    embedding = network.embed("song.mp3", excerpt=None)
    np.testing.assert_allclose(last.embedding, embedding, atol=1e-4)
    at_once = network.embed("song.mp3", excerpt=60)
    np.testing.assert_allclose(at_once, embedding, atol=1e-4)
    assert set(last.to_dict()) == {
        "seconds", "step_probabilities", "clip_probabilities", "silent", "embedding",
    }  # fmt: skip
    sf.write("silent.wav", np.zeros(44_100), 22_050)
    with pytest.raises(songnet.SongNetError, match="no music"):
        network.embed("silent.wav")
