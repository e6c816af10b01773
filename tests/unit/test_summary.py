"""The last lines of a workflow run."""

from pathlib import Path

import pytest

from songnet.data.selection import quarantine_table, read_quarantine, write_quarantine
from songnet.io import write_json
from songnet.pipeline.next_steps import command, duration, next_steps
from songnet.pipeline.summary import failure, success

STORE = "sqlite:////home/me/mlflow.db"


def test_success_of_partial_run_shows_no_older_results(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    columns = "dataset,protocol,model,accuracy,ci_low,ci_high,poster_accuracy"
    row = "local,artist,svm,0.5,0.4,0.6,0.46375"
    (tmp_path / "report/results.csv").write_text(f"{columns}\n{row}\n")
    data = success(
        str(tmp_path), "Synthetic music.", STORE, {"select_tracks"}, ["select_tracks"], 2, 42, {}
    )
    assert "Jobs run: select_tracks. Skipped as up to date: 2." in data
    assert "svm" not in data and "Synthetic" not in data and "index.html" not in data
    rules = {"collect_results", "log_runs", "report_page"}
    views = {"artist": "#/experiments/1/runs?viewStateShareKey=artist"}
    write_json(tmp_path / "mlflow/views.json", views)
    everything = success(str(tmp_path), "Synthetic music.", STORE, rules, [], 9, 192, {})
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
    assert "47.1 (validation)" in success(str(tmp_path), "", STORE, rules, [], 9, 1, {})
    server = "http://mlflow.example.org:5000"  # which `mlflow ui` would not show
    shared = success(str(tmp_path), "", server, rules, [], 9, 1, {})
    assert server in shared and "mlflow ui" not in shared


def test_failure_shows_measured_runs(tmp_path: Path) -> None:
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
    assert "Failed or not started: 2." in text
    assert [line.split() for line in text.splitlines() if line.startswith(("svm", "knn"))] == [
        ["knn", "40.0", "(1)"],
        ["svm", "55.0", "(2)"],
    ]
    assert text.endswith("Full tables: --config 'models=[knn,svm]'")


def test_failure_ends_with_each_error_once(tmp_path: Path) -> None:
    for i in range(40):
        log = tmp_path / f"logs/mel_shard/{i:03d}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("01:02:03 begun\n01:02:04 error: disk.npy: no space left\n")
    (tmp_path / "logs/train.log").write_text("01:02:05 error: models.yaml: C is missing\n")
    (tmp_path / "logs/good.log").write_text("01:02:05 done\n")
    path = tmp_path / "runs/artist/svm/1/metrics.json"
    write_json(path, {"validation": {"accuracy": 0.4}})
    lines = failure(str(tmp_path), 0.0, [], 0, 380, [str(path)]).splitlines()
    logs = tmp_path / "logs"
    assert lines[-2:] == [
        f"  error: disk.npy: no space left (log: {logs / 'mel_shard/000.log'}, and 39 more)",
        f"  error: models.yaml: C is missing (log: {logs / 'train.log'})",
    ]


def test_success_counts_quarantine_and_left_out_protocols(tmp_path: Path) -> None:
    quarantine = quarantine_table(
        {
            1: "not decodable: no audio in it",
            2: "not decodable: no audio in it",
            3: "too short: 0.5 s, minimum 5 s",
            4: "too short: 1.6 s, minimum 5 s; 3.0 s cannot be decoded",
            5: "too short: 2.0 s, minimum 5 s",
            6: "not audio, by its name (*.jpg)",
            7: "byte-identical to a.mp3",
            8: "byte-identical to b.mp3",
        },
        ["", "a.m4a", "b.mp3", "c.mp3", "d.mp3", "=e", "f.jpg", "g.mp3", "h.mp3"].__getitem__,
    )
    write_quarantine(quarantine, str(tmp_path / "quarantine.csv"))
    assert "\n5,'=e,\"too short" in (tmp_path / "quarantine.csv").read_text()
    assert read_quarantine(str(tmp_path / "quarantine.csv")).equals(quarantine)
    left_out = {"official": "no track has a split of its own"}
    text = success(str(tmp_path), "", STORE, {"index_tracks"}, [], 0, 1, left_out)
    assert "Skipped the protocol official: no track has a split of its own." in text
    start = text.index("Quarantined: 8 files or tracks")
    assert text[start:].splitlines()[1:6] == [
        "  2 × not decodable: no audio in it (.m4a 1, .mp3 1)",
        "  2 × too short: … s, minimum 5 s",
        "  2 × byte-identical to another file",
        "  1 × too short: … s, minimum 5 s; … s cannot be decoded",
        "  1 × not audio, by its name (*.jpg)",
    ]
    # A part of the workflow without clips does not report those of an older run.
    assert "Quarantined" not in success(str(tmp_path), "", STORE, {"make_demo"}, [], 0, 1, {})


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
