"""Install SongNet into .venv with uv, or with pip if uv fails.

    python envs/install.py [--developer]

uv uses the package indexes that pip is configured with. requirements.lock sets the versions.
"""

import os
import shutil
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv" / "bin"
RUN = ["--constraint", "requirements.lock", "--editable", ".[cluster]"]
DEVELOPER = ["--requirement", "requirements.lock"]
# PyPI's torch for Linux carries CUDA; the CPU build is a tenth of its size.
CPU_TORCH = "https://download.pytorch.org/whl/cpu"


def main() -> None:
    """Create .venv if it does not exist, and install into it."""
    if not (BIN / "python").exists():
        print("songnet: creating .venv", flush=True)
        venv.create(ROOT / ".venv", with_pip=True)
    what = DEVELOPER if "--developer" in sys.argv else RUN
    indexes = indexes_of_pip()
    if cpu_torch_is_better(indexes):
        indexes["extra-index-url"] = f"{indexes.get('extra-index-url', '')} {CPU_TORCH}".strip()
    installer = uv()
    how = "with uv, 1 to 3 minutes" if installer else "with pip, 3 to 6 minutes"
    print(f"songnet: installing 1.8 GB of packages {how}", flush=True)
    if not (installer and install_with_uv(installer, what, indexes)):
        extra = os.environ | {"PIP_EXTRA_INDEX_URL": indexes.get("extra-index-url", "")}
        command = [str(BIN / "pip"), "install", "--disable-pip-version-check", *what]
        if failure := subprocess.run(command, cwd=ROOT, env=extra).returncode:
            sys.exit(failure)
    # librosa compiles functions when first imported. Processes that do so at the same time can mix
    # up numba's cache, and Python then crashes in these functions (numba's issue 10128).
    subprocess.run([str(BIN / "python"), "-c", "import librosa.core.pitch"], check=True)


def install_with_uv(installer: str, what: list[str], indexes: dict[str, str]) -> bool:
    """Return whether uv could install."""
    command = [installer, "pip", "install", "--python", str(BIN / "python"), *what]
    settings = os.environ | uv_settings(indexes)
    done = subprocess.run(command, cwd=ROOT, env=settings).returncode == 0
    if not done:
        print("songnet: uv failed, installing with pip", flush=True)
    return done


def indexes_of_pip() -> dict[str, str]:
    """Return pip's package indexes from its configuration files and the environment."""
    command = [str(BIN / "pip"), "config", "list"]
    found = {}
    # In ascending order of precedence: `global.index-url='...'`, then `:env:.index-url='...'`.
    for line in sorted(
        subprocess.run(command, capture_output=True, text=True).stdout.splitlines(), reverse=True
    ):
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2]] = value.strip("'").replace("\\n", " ")
    return found


def cpu_torch_is_better(indexes: dict[str, str]) -> bool:
    """Return whether this is Linux without an NVIDIA GPU and torch's index can be reached."""
    if not sys.platform.startswith("linux") or shutil.which("nvidia-smi"):
        return False
    if CPU_TORCH in indexes.get("extra-index-url", "") or "index-url" in indexes:
        return False
    try:
        with urllib.request.urlopen(f"{CPU_TORCH}/torch/", timeout=3):
            return True
    except OSError:
        return False


def uv() -> str | None:
    """Return the path of uv, installing it into .venv if needed; None if that fails."""
    installed = shutil.which("uv") or shutil.which("uv", path=BIN)
    if not installed:
        command = [str(BIN / "pip"), "install", "--quiet", "--disable-pip-version-check", "uv"]
        subprocess.run(command, stderr=subprocess.DEVNULL)
    return installed or shutil.which("uv", path=BIN)


def uv_settings(indexes: dict[str, str]) -> dict[str, str]:
    """Translate pip's settings to uv's environment variables, without overriding the user's."""
    links = indexes.get("find-links", "").split()
    settings = {
        "UV_DEFAULT_INDEX": indexes.get("index-url", ""),
        "UV_INDEX": " ".join(
            index
            for index in indexes.get("extra-index-url", "").split()
            if not index.startswith("file:")  # uv fails if a folder lacks a package
        ),
        "UV_FIND_LINKS": ",".join(links),
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip does
        "SSL_CERT_FILE": indexes.get("cert", ""),
    }
    return {key: value for key, value in settings.items() if value and key not in os.environ}


if __name__ == "__main__":
    main()
