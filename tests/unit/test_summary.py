"""The last lines of a workflow run."""

from pathlib import Path

import pytest

from songnet.io import write_json
from songnet.pipeline.next_steps import command, duration, next_steps
from songnet.pipeline.summary import failure, success

STORE = "sqlite:////home/me/mlflow.db"


def test_a_part_of_the_workflow_shows_no_older_results(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    columns = "dataset,protocol,model,accuracy,ci_low,ci_high,poster_accuracy"
    row = "local,artist,svm,0.5,0.4,0.6,0.46375"
    (tmp_path / "report/results.csv").write_text(f"{columns}\n{row}\n")
    data = success(
        str(tmp_path), "Synthetic music.", STORE, {"select_tracks"}, ["select_tracks"], 2, 42
    )
    assert "Jobs that ran: select_tracks. Skipped, since up to date: 2." in data
    assert "svm" not in data and "Synthetic" not in data and "index.html" not in data
    rules = {"collect_results", "log_runs", "report_page"}
    views = {"artist": "#/experiments/1/runs?viewStateShareKey=artist"}
    write_json(tmp_path / "mlflow/views.json", views)
    everything = success(str(tmp_path), "Synthetic music.", STORE, rules, [], 9, 192)
    for words in (
        "svm",
        "50.0 [40.0, 60.0]",
        "46.38",
        "Synthetic music.",
        "index.html",
        "done in 3 min 12 s.",
        "mlflow ui",
        "http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=artist",
    ):
        assert words in everything
    assert everything.endswith(f"{tmp_path}/report/index.html")
    row = "local,official,svm,,,,,0.471"
    (tmp_path / "report/results.csv").write_text(f"{columns},validation_accuracy\n{row}\n")
    assert "47.1 (validation)" in success(str(tmp_path), "", STORE, rules, [], 9, 1)
    server = "http://mlflow.example.org:5000"  # which `mlflow ui` would not show
    shared = success(str(tmp_path), "", server, rules, [], 9, 1)
    assert server in shared and "mlflow ui" not in shared


def test_failure_shows_the_runs_that_are_measured(tmp_path: Path) -> None:
    measured = []
    for model, seed, metrics in [
        ("svm", 1, {"validation": {"accuracy": 0.7}, "test": {"accuracy": 0.5}}),
        ("svm", 2, {"validation": {"accuracy": 0.7}, "test": {"accuracy": 0.6}}),
        ("knn", 1, {"validation": {"accuracy": 0.4}}),
    ]:
        path = tmp_path / f"runs/artist/{model}/{seed}/metrics.json"
        write_json(path, metrics)
        measured.append(str(path))
    text = failure(str(tmp_path), 0.0, ["train_svm"], 3, 2, measured)
    assert "Failed or not reached: 2." in text
    assert [line.split() for line in text.splitlines() if line.startswith(("svm", "knn"))] == [
        ["knn", "40.0", "(1)"],
        ["svm", "55.0", "(2)"],
    ]
    assert text.endswith("All tables of these: --config 'models=[knn,svm]'")


def test_next_steps_work_without_activating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "songnet").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.executable", str(binaries / "python"))
    monkeypatch.setenv("PATH", "/usr/bin")
    lines = next_steps("results/demo", "", {"choose_network"})
    assert any("  .venv/bin/songnet serve " in line for line in lines)
    monkeypatch.setenv("PATH", str(binaries))
    assert command("songnet") == "songnet"


@pytest.mark.parametrize(
    ("seconds", "text"), [(41.6, "42 s"), (192, "3 min 12 s"), (7500, "2 h 5 min")]
)
def test_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
