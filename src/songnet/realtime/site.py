"""Static files of the page that classifies music in the browser, for `songnet site` and `serve`.

All URLs are relative to the page, so that it works below any path.
"""

import contextlib
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from songnet.colours import genre_colours
from songnet.errors import SongNetError
from songnet.io import read_json, replacing
from songnet.models.encoders import OnnxEncoder
from songnet.realtime.classify import caution, description, find_model
from songnet.realtime.installed import trained
from songnet.realtime.stream import CLOSE_CALL, Model, load_model

WEB = Path(__file__).parent / "web"
# By file extension. Browsers only run scripts with the right type.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".safetensors": "application/octet-stream",
    ".mp3": "audio/mpeg",
}
Files = dict[str, Path | bytes]  # by URL relative to the page


def find_models(paths: list[str] | None) -> list[Model]:
    """Load the networks that the page offers.

    Args:
        paths: weights files or names, as for `find_model`. None loads the network from
            `find_model`, then every other network from `trained` that can stream.

    Raises:
        SongNetError: no network is found, or one of ``paths`` cannot classify audio.
    """
    if paths:
        return [find_model(path) for path in paths]
    models = [find_model(None)]
    for path in sorted(trained()):
        with contextlib.suppress(SongNetError):
            if path != models[0].path:
                models.append(load_model(path))
    return models


def site_files(models: list[Model], offline: bool) -> Files:
    """Collect the files of the page.

    Args:
        models: from `songnet.realtime.stream.load_model`; the first one is selected initially.
        offline: whether the page installs a service worker for offline use.

    Raises:
        SongNetError: none of the networks runs in browsers.
    """
    models = _running_in_browsers(models)
    files: Files = {
        path.relative_to(WEB).as_posix(): path
        for path in sorted(WEB.rglob("*"))
        if path.is_file() and path.name != "sw.js"
    }
    entries = [_entry(model, files) for model in models]
    site = {"models": entries, "close_call": CLOSE_CALL, "offline": offline}
    files["site.json"] = json.dumps(site, indent=1).encode()
    if offline:
        files["sw.js"] = _service_worker(files, entries)
    return files


def _running_in_browsers(models: list[Model]) -> list[Model]:
    """Return the networks that `web/engine` runs: all that stream, except on ONNX encoders."""
    refused = [
        m for m in models if isinstance(getattr(m.saved.network, "encoder", None), OnnxEncoder)
    ]
    if len(refused) == len(models):
        raise SongNetError(
            f"{models[0].path}: browsers cannot run its encoder; use `songnet classify`"
        )
    for model in refused:
        print(f"songnet: warning: {model.path}: browsers cannot run its encoder; the page does "
              "not offer it", file=sys.stderr)  # fmt: skip
    return [model for model in models if model not in refused]


def _entry(model: Model, files: Files) -> dict[str, Any]:
    """Return a network's entry in site.json, and add its weights and examples to the files."""
    digest = hashlib.sha256(model.path.read_bytes()).hexdigest()[:8]
    name = f"{re.sub('[^a-z0-9]+', '-', str(model.facts['model']).lower())}-{digest}"
    address = f"networks/{name}.safetensors"
    files[address] = model.path
    titles = [model.facts.get("title") or model.facts["model"],
              model.facts.get("dataset_title") or model.facts.get("dataset")]  # fmt: skip
    return {
        "file": address,
        "title": ", ".join(filter(None, titles)),
        "description": description(model),
        "caution": caution(model),
        "colours": genre_colours(model.genres),
        "examples": _examples(model, name, files),
    }


def _examples(model: Model, name: str, files: Files) -> list[dict[str, str]]:
    folder = model.path.parent / "examples"
    if not (folder / "examples.json").exists():  # missing after a killed job
        return []
    found = []
    for example in read_json(folder / "examples.json"):
        address = f"examples/{name}/{example['file']}"
        files[address] = folder / example["file"]
        found.append({"title": example["credit"], "licence": ""} | example | {"file": address})
    return found


def _service_worker(files: Files, entries: list[dict[str, Any]]) -> bytes:
    """Fill the files to cache and their version into the service worker."""
    rest = {entry["file"] for entry in entries[1:]}
    kept = [name for name in files if name not in rest and not name.startswith("examples/")]
    found = hashlib.sha256()
    for name in kept:
        found.update(f"{name}\0".encode() + hashlib.sha256(content(files[name])).digest())
    text = (WEB / "sw.js").read_text()
    names = json.dumps(["./", *kept])
    return text.replace("{{version}}", found.hexdigest()[:16]).replace("{{files}}", names).encode()


def content(file: Path | bytes) -> bytes:
    """Return the content of a file of the page."""
    return file if isinstance(file, bytes) else file.read_bytes()


def write_site(models: list[Model], folder: str | Path) -> int:
    """Write the page into a folder, for any web server.

    Args:
        models: as in `site_files`.
        folder: new or empty folder, or one written by this function, whose files are replaced.

    Returns:
        Size in bytes of a first visit, without examples.

    Raises:
        SongNetError: none of the networks runs in browsers, or the folder contains other files or
            is not writable.
    """
    folder = Path(folder)
    files = site_files(models, offline=True)
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / "site.json").exists():
            raise SongNetError(f"{folder}: not empty, and not a SongNet page; name a new folder")
        for name, file in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content(file))
        for name in ("networks", "examples"):  # files of networks that no longer exist
            for path in (folder / name).rglob("*"):
                if path.is_file() and path.relative_to(folder).as_posix() not in files:
                    path.unlink()
    except OSError as error:
        raise SongNetError(f"{folder}: {error.strerror or error}") from None
    rest = {model["file"] for model in json.loads(content(files["site.json"]))["models"][1:]}
    first = [name for name in files if name not in rest and not name.startswith("examples/")]
    return sum(len(content(files[name])) for name in first)
