"""Commands import only what they need; each of these imports takes 0.25 s or more."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HEAVY = {
    "librosa", "matplotlib", "mlflow", "numba", "numpy", "pandas", "rich", "scipy",
    "sklearn", "snakemake", "soundfile", "torch",
}  # fmt: skip


def loaded(code: str) -> set[str]:
    """Return the top-level modules that a fresh Python imports for some code."""
    code = (
        f"import sys\n{code}\nprint('LOADED', *{{name.partition('.')[0] for name in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_dependencies_declare_all_imports() -> None:
    """Required packages are declared, not left to other packages to install."""
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.split("[<>=]", entry)[0] for entries in lists for entry in entries}
    imported: set[str] = set()
    for file in [*root.glob("src/songnet/**/*.py"), *root.glob("workflow/scripts/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    imported -= {*sys.stdlib_module_names, "songnet"}
    other_names = {
        "annotated_types": "annotated-types", "sklearn": "scikit-learn", "yaml": "pyyaml"
    }  # fmt: skip
    assert {other_names.get(name, name) for name in imported} <= declared


@pytest.mark.parametrize("arguments", [["--help"], ["classify", "--help"], ["--version"]])
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    code = (
        f"from songnet.cli import main\ntry:\n    main({arguments})\nexcept SystemExit:\n    pass"
    )
    modules = loaded(code)
    assert "songnet" in modules
    assert not modules & HEAVY


def test_check_models_loads_no_learning_library() -> None:
    root = Path(__file__).parents[2]
    code = f"""
from songnet.pipeline.configuration import check_models, read_models
check_models(read_models("{root}/config/models.yaml"))
"""
    modules = loaded(code)
    assert "pydantic" in modules
    assert not modules & {"scipy", "sklearn", "torch"}


def test_shard_jobs_load_no_learning_library() -> None:
    modules = loaded("import songnet.data.shard_writer, songnet.features.fma518")
    assert {"numpy", "scipy", "soundfile"} <= modules
    assert not modules & {"matplotlib", "mlflow", "numba", "sklearn", "torch"}


def test_baselines_load_no_torch() -> None:
    modules = loaded("import songnet.models.baselines, sklearn.svm")
    assert not modules & {"librosa", "matplotlib", "mlflow", "torch"}


def test_training_loads_no_mlflow(tmp_path: Path) -> None:
    code = f"""
import numpy as np, pandas as pd, torch
from songnet.data import batches
from songnet.models import causal_crnn, configs
from songnet.data import shards
from songnet.tracking import live
from songnet.training import config, loop
np.save("{tmp_path}/000.npy", np.random.default_rng(1).normal(size=(4, 64, 90)).astype("f2"))
index = pd.DataFrame({{"file": "000.npy", "row": range(4), "frames": 90, "seconds": 3.0}})
mels = shards.MelShards("{tmp_path}", index)
subset = batches.Subset(np.arange(4), np.arange(4) % 2, np.full((4, 3), np.nan, "f4"))
network = causal_crnn.CausalCRNN(configs.CausalCRNNConfig(64, 2, mels.frames_per_second))
config = config.TrainingConfig(epochs=1, crop_seconds=2, ema_decay=0.9)
loop.train_network(network, mels, subset, subset, config, 1, "{tmp_path}/checkpoint.pt")
"""
    modules = loaded(code)
    assert "torch" in modules
    assert not modules & {"matplotlib", "mlflow", "sklearn"}
