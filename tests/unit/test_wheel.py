"""The wheel contains everything that the commands need."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import songnet
from tests.configured import ROOT
from tests.unit.test_card import run


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a folder, with the packages that it needs from elsewhere."""
    folder = tmp_path_factory.mktemp("wheel")
    project = folder / "project"  # a copy, since setuptools leaves files in it
    shutil.copytree(ROOT / "src", project / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(project)], check=True, capture_output=True)
    (wheel,) = folder.glob("songnet-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def command(installed: Path, folder: Path, *words: str) -> str:
    """Return the output of the installed command `songnet`."""
    code = "import sys; from songnet.cli import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_wheel_has_every_file_of_the_package(installed: Path) -> None:
    package = ROOT / "src/songnet"
    files = {path.relative_to(package) for path in package.rglob("*")
             if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    found = {path.relative_to(installed / "songnet") for path in (installed / "songnet").rglob("*")}
    assert files <= found


def test_installed_command_prints_version_and_writes_site(installed: Path, tmp_path: Path) -> None:
    assert command(installed, tmp_path, "--version").strip() == songnet.__version__
    weights = run(tmp_path, 1, 0.5, None) / "model.safetensors"
    command(installed, tmp_path, "site", "page", "--model", str(weights))
    assert "<title>" in (tmp_path / "page/index.html").read_text()


def test_versions_agree() -> None:
    for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md"):
        assert songnet.__version__ in (ROOT / name).read_text()
