"""What is not needed is not loaded: each of these costs a quarter of a second to several."""

import subprocess
import sys

import pytest

HEAVY = {
    "librosa", "matplotlib", "mlflow", "numba", "numpy", "pandas", "plotly", "rich", "scipy",
    "sklearn", "snakemake", "soundfile", "torch",
}  # fmt: skip


def loaded(code: str) -> set[str]:
    """Top-level names of the modules that a fresh Python loads for some code."""
    code = (
        f"import sys\n{code}\nprint('LOADED', *{{name.partition('.')[0] for name in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["classify", "--help"], ["--version"]])
def test_help_loads_no_library(arguments: list[str]) -> None:
    code = (
        f"from songnet.cli import main\ntry:\n    main({arguments})\nexcept SystemExit:\n    pass"
    )
    modules = loaded(code)
    assert "songnet" in modules
    assert not modules & HEAVY


def test_shards_load_no_learning_and_nothing_that_compiles() -> None:
    modules = loaded("import songnet.shards, songnet.fma_features")
    assert {"numpy", "scipy", "soundfile"} <= modules
    assert not modules & {"librosa", "matplotlib", "mlflow", "numba", "sklearn", "torch"}


def test_baselines_load_no_torch() -> None:
    modules = loaded("import songnet.baselines, sklearn.svm")
    assert not modules & {"librosa", "matplotlib", "mlflow", "torch"}
