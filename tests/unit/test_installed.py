"""Networks that commands find outside the project folder."""

import shutil
from pathlib import Path

import pytest

from songnet.commands.classify import _text
from songnet.errors import SongNetError
from songnet.models.base import load, save
from songnet.realtime.classify import about, caution, classify_file, find_model
from songnet.realtime.installed import remember
from songnet.realtime.site import site_files
from songnet.realtime.stream import load_model


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def served(trained: Path, folder: Path, dataset: str) -> Path:
    path = folder / "results" / dataset / "best.safetensors"
    path.parent.mkdir(parents=True)
    shutil.copy(trained, path)
    return path


def test_find_model_elsewhere_takes_last_network_of_real_music(
    trained: Path, elsewhere: Path
) -> None:
    with pytest.raises(SongNetError, match="train one"):
        find_model(None)
    remember(elsewhere / "results/local/best.safetensors")  # a run that chose none
    for dataset in ("local", "demo"):
        remember(served(trained, elsewhere, dataset))
    shutil.rmtree(elsewhere / "results")
    assert find_model(None).path.parent.name == "local"


def test_find_model_prefers_results(
    trained: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(served(trained, elsewhere, "local"))
    demo = served(trained, elsewhere / "other", "demo")
    monkeypatch.chdir(elsewhere / "other")
    assert find_model(None).path.resolve() == demo


def test_caution_marks_predictions_of_synthetic_network(
    trained: Path, clips: Path, tmp_path: Path
) -> None:
    real = load_model(trained)
    clip = str(min(clips.glob("Rock*.mp3")))
    assert caution(real) == "" and "synthetic" not in _text(classify_file(real, clip), "")
    network, genres, facts = load(trained)
    save(network, genres, facts | {"synthetic": True}, tmp_path / "demo.safetensors")
    model = load_model(tmp_path / "demo.safetensors")
    warning = "trained on synthetic music: this prediction is meaningless"
    shares = _text(classify_file(model, clip), caution(model)).splitlines()[1]
    assert shares.endswith(f"({warning})")
    assert about(model)["caution"] == warning
    page = site_files([model], offline=False)["site.json"]
    assert isinstance(page, bytes) and warning in page.decode()
