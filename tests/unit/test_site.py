"""`songnet site`: the files that it writes."""

import json
import re
import shutil
from pathlib import Path

import pytest

from songnet import cli
from songnet.errors import SongNetError
from songnet.models.encoders import OnnxEncoder
from songnet.realtime.installed import data_path
from songnet.realtime.site import WEB, content, find_models, site_files, write_site
from songnet.realtime.stream import load_model
from tests.pretrained import saved, tagger


def test_site_holds_page_networks_and_examples(trained: Path, tmp_path: Path) -> None:
    size = write_site([load_model(trained)], tmp_path / "site")
    written = {
        path.relative_to(tmp_path / "site").as_posix()
        for path in (tmp_path / "site").rglob("*")
        if path.is_file()
    }
    site = json.loads((tmp_path / "site/site.json").read_text())
    (network,) = site["models"]
    (example,) = network["examples"]
    assert {
        "index.html",
        "sw.js",
        "manifest.webmanifest",
        "worker.js",
        "engine/stream.js",
    } < written
    assert {network["file"], example["file"]} < written
    assert (tmp_path / "site" / network["file"]).read_bytes() == trained.read_bytes()
    assert (example["title"], example["licence"], example["credit"]) == ("A: b", "c", "A: b · c")
    assert "clips of the tests" in network["description"]
    assert size < 3 * 2**20


def test_site_files_of_page_are_small(trained: Path) -> None:
    """Three megabytes with the networks of the demo and of FMA, whose weights are 0.8 of them."""
    files = site_files([load_model(trained)], offline=True)
    page = [name for name in files if not name.startswith(("networks/", "examples/"))]
    sizes = [len(f) if isinstance(f := files[name], bytes) else f.stat().st_size for name in page]
    assert sum(sizes) < 0.2 * 2**20


def test_service_worker_keeps_the_page_and_its_first_network(trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    shutil.copy(trained, other)
    files = site_files([load_model(trained)], offline=True)
    worker = files["sw.js"]
    assert isinstance(worker, bytes) and b"{{" not in worker
    listed = re.search(r"FILES = (\[.*\]);", worker.decode())
    assert listed is not None
    kept = set(json.loads(listed[1]))
    assert kept == {"./", *files} - {"sw.js"} - {name for name in files if "examples/" in name}
    assert site_files([load_model(trained)], offline=True)["sw.js"] == worker
    assert site_files([load_model(other)], offline=True)["sw.js"] != worker  # has no examples
    assert "sw.js" not in site_files([load_model(trained)], offline=False)


def test_page_addresses_are_relative() -> None:
    for path in WEB.rglob("*.*"):
        assert not re.search(r"""["'(]/[a-z]""", path.read_text()), path


def test_page_imports_exist() -> None:
    for path in WEB.rglob("*.js"):
        for name in re.findall(r'from "(\./|\.\./)([\w/.]+)"', path.read_text()):
            assert (path.parent / "".join(name)).is_file(), (path, name)


def test_write_site_refuses_other_folders(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("years of work")
    model = load_model(trained)
    with pytest.raises(SongNetError, match="not empty, and not a SongNet page"):
        write_site([model], tmp_path)
    with pytest.raises(SongNetError, match=r"thesis\.md: "):
        write_site([model], tmp_path / "thesis.md")
    write_site([model], tmp_path / "site")
    (tmp_path / "site/networks/old.safetensors").touch()
    write_site([model], tmp_path / "site")
    (network,) = (tmp_path / "site/networks").iterdir()
    # The page's own network can be written again.
    write_site([load_model(network)], tmp_path / "site")
    (again,) = (tmp_path / "site/networks").iterdir()
    assert again.read_bytes() == trained.read_bytes()


def test_find_models_below_results(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("demo", "real"):
        (tmp_path / "results" / name).mkdir(parents=True)
        shutil.copy(trained, tmp_path / "results" / name / "best.safetensors")
    (tmp_path / "results/old").mkdir()
    (tmp_path / "results/old/best.safetensors").write_text("of another version")
    monkeypatch.chdir(tmp_path)
    assert [model.path.parent.name for model in find_models(None)] == ["real", "demo"]
    with pytest.raises(SongNetError, match="old"):
        find_models(["results/old/best.safetensors"])
    assert cli.main(["site", "page", "--model", "results/demo/best.safetensors"]) == 0
    output = capsys.readouterr().out
    assert "1 network, 0." in output and "python -m http.server --directory page" in output


def test_page_offers_networks_that_browsers_run(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx = load_model(saved(tmp_path / "onnx.safetensors", tagger(), ["Jazz", "Rock"]))
    onnx.saved.network.encoder.__class__ = OnnxEncoder
    site = json.loads(content(site_files([onnx, load_model(trained)], offline=False)["site.json"]))
    assert [model["title"] for model in site["models"]] == ["causal C-RNN, clips of the tests"]
    assert "onnx.safetensors: browsers cannot run its encoder; the page" in capsys.readouterr().err
    write_site([load_model(trained)], tmp_path / "site")
    before = sorted((tmp_path / "site").rglob("*"))
    with pytest.raises(SongNetError, match="cannot run its encoder; use `songnet classify`"):
        write_site([onnx], tmp_path / "site")
    assert sorted((tmp_path / "site").rglob("*")) == before


def test_page_names_musicnn_without_data_set(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path / "m.safetensors", tagger(), ["Jazz", "Rock"]))
    (entry,) = json.loads(content(site_files([model], offline=False)["site.json"]))["models"]
    assert entry["title"] == "musicnn" and "musicnn" in entry["file"]


def test_find_models_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = saved(data_path("musicnn"), tagger(), ["Jazz", "Rock"])
    assert [model.path for model in find_models(["musicnn"])] == [path]
    with pytest.raises(SongNetError, match="no such file"):
        find_models(["music"])
