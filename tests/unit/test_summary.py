"""The last lines of a workflow run."""

from pathlib import Path

from songnet.pipeline.summary import success

STORE = "sqlite:////home/me/mlflow.db"


def test_a_part_of_the_workflow_shows_no_older_results(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    columns = "dataset,protocol,model,accuracy,ci_low,ci_high,poster_accuracy"
    row = "local,artist,svm,0.5,0.4,0.6,0.46375"
    (tmp_path / "report/results.csv").write_text(f"{columns}\n{row}\n")
    data = success(
        str(tmp_path), "Synthetic music.", STORE, {"select_tracks"}, ["select_tracks"], 2
    )
    assert "Jobs that ran: select_tracks. Skipped, since up to date: 2." in data
    assert "svm" not in data and "Synthetic" not in data and "index.html" not in data
    rules = {"collect_results", "log_runs", "report_page"}
    everything = success(str(tmp_path), "Synthetic music.", STORE, rules, [], 9)
    for words in (
        "svm",
        "50.0 [40.0, 60.0]",
        "46.38",
        "Synthetic music.",
        "index.html",
        "mlflow ui",
    ):
        assert words in everything
    row = "local,official,svm,,,,,0.471"
    (tmp_path / "report/results.csv").write_text(f"{columns},validation_accuracy\n{row}\n")
    assert "47.1 (validation)" in success(str(tmp_path), "", STORE, rules, [], 9)
    server = "http://mlflow.example.org:5000"  # which `mlflow ui` would not show
    shared = success(str(tmp_path), "", server, rules, [], 9)
    assert server in shared and "mlflow ui" not in shared
