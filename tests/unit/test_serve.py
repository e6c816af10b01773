"""`songnet serve`: what a user can get wrong is one line."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from songnet import classify, cli, server
from songnet.errors import SongNetError


def test_a_wrong_port_and_a_killed_job_cost_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples").mkdir()  # a killed job leaves no examples.json
    seen: list[Any] = []
    model = SimpleNamespace(path=tmp_path / "best.safetensors")
    monkeypatch.setattr(classify, "find_model", lambda path: model)
    monkeypatch.setattr(server, "create_app", lambda model, examples, hosts: seen.append(examples))
    options: Any = SimpleNamespace(model=None, host="127.0.0.1", port=70000)
    with pytest.raises(SongNetError, match="--port: 70000"):
        cli._serve(options)
    assert seen == [None]
