"""Checks and speed of training on an NVIDIA GPU: `make gpu`, within five minutes.

The spectrograms are random, with separable genres, in the shape of FMA-small's. Each training runs
in its own process. The exit status is 1 if a check fails.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_training import (
    BANDS,
    FRAMES_PER_SECOND,
    Row,
    Training,
    finish,
    make,
    write_spectrograms,
)  # fmt: skip
from benchmarks.measure import Section, machine, markdown
from songnet.training.devices import device

# Largest relative difference of an epoch's mean loss from the CPU's.
TOLERANCES = {"GPU": 0.02, "GPU, mixed precision": 0.05, "GPU, compiled": 0.05}
BATCHES = (32, 128, 512)  # the last one is for large GPUs


def curves(base: Training) -> Iterator[Row]:
    """Compare the losses of each variant with those of the CPU in single precision."""
    base = replace(base, epochs=3, steps=min(base.steps, 10), mixed_precision=False)
    cpu = [row["train_loss"] for row in replace(base, on_gpu=False).run()]
    variants = [base, replace(base, mixed_precision=True), replace(base, compile=base.on_gpu)]
    for (name, tolerance), variant in zip(TOLERANCES.items(), variants, strict=True):
        losses = [row["train_loss"] for row in variant.run()]
        off = float(np.max(np.abs(np.array(losses) / cpu - 1)))
        yield check(f"loss curve: {name}", off <= tolerance, f"{100 * off:.2f} % off the CPU's")


def check(what: str, passed: bool, found: str) -> Row:
    """Create a row of the table of checks."""
    return {"check": what, "result": "passed" if passed else "FAILED", "found": found}


def resumed(base: Training, folder: Path) -> Row:
    """Kill a training after its second epoch and resume it in another process."""
    whole = base.run()
    killed = replace(base, checkpoint=str(folder / "killed.pt"))
    process = killed.start()
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    off = abs(killed.run()[-1]["train_loss"] / whole[-1]["train_loss"] - 1)
    return check("resume after a kill", off < 0.02, f"last loss {100 * off:.3f} % off")


def speed(history: list[Row]) -> float:
    """Return crops per second; the first epoch is a warm-up."""
    rows = history[1:] or history
    return float(np.median([row["crops"] / row["seconds"] for row in rows]))


def ways(base: Training) -> dict[str, Training]:
    """Return the training variants to compare."""
    batches = BATCHES if base.on_gpu else (base.batch_size,)
    return {
        "CPU": replace(base, on_gpu=False, epochs=2, steps=min(base.steps, 5)),
        "GPU, single precision": replace(base, mixed_precision=False),
        "GPU, spectrograms on the host": replace(base, resident=False),
        **{f"GPU, batches of {n}": replace(base, batch_size=n) for n in batches},
        f"GPU, batches of {batches[-1]}, compiled": replace(
            base, batch_size=batches[-1], compile=base.on_gpu
        ),
    }


def throughput(base: Training) -> list[Row]:
    """Measure crops per second of each variant, relative to the CPU and to the GPU's limit."""
    work = flops_of_a_crop()
    limit = matrix_products()
    rows: list[Row] = []
    first = 0.0
    for name, training in ways(base).items():
        history = training.run()
        rate = speed(history)
        first = first or rate
        rows.append(
            {
                "variant": name,
                "crops per second": f"{rate:.0f}",
                "× CPU": f"{rate / first:.1f}",
                "% of the device's matrix products": f"{100 * rate * work / limit:.1f}",
                "waiting for batches, %": f"{100 * history[-1]['loading']:.0f}",
                "memory, MiB": f"{history[-1]['memory']:.0f}",
            }
        )
    return rows


def side_by_side(base: Training) -> Row:
    """Measure two trainings in parallel on one GPU."""
    alone = speed(base.run())
    together = sum(speed(finish(process)) for process in [base.start(), base.start()])
    return {
        "variant": "GPU, two trainings at once",
        "crops per second": f"{together:.0f}",
        "× one training": f"{together / alone:.2f}",
    }


def flops_of_a_crop() -> float:
    """Return the floating-point operations of a training step per crop."""
    network, frames = make(), round(10 * FRAMES_PER_SECOND)
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(2, BANDS, frames)).clip_logits.sum().backward()
    return counter.get_total_flops() / 2


def matrix_products(size: int = 4096, repeats: int = 20) -> float:
    """Measure FLOP/s of large matrix products in bfloat16, the device's limit."""
    if device().type == "cpu":
        size, repeats = 512, 3
    a = torch.randn(size, size, device=device(), dtype=torch.bfloat16)
    timer = Timer("a @ a", globals={"a": a})
    return 2 * size**3 / timer.timeit(repeats).median


def system_metrics(base: Training, folder: Path) -> Row:
    """Check that MLflow logs the GPU's load during training."""
    os.environ |= {
        "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "0.5",
        "MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING": "1",
    }
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    with mlflow.start_run(log_system_metrics=True) as run:
        base.run()
    names = set(mlflow.get_run(run.info.run_id).data.metrics)
    wanted = "system/gpu_0_utilization_percentage" if base.on_gpu else "system/cpu_utilization"
    found = sorted(name for name in names if name.startswith(wanted))
    return check("system metrics in MLflow", bool(found), ", ".join(found) or "none of the GPU")


def measure(folder: Path, tracks: int, seconds: float, base: Training) -> list[Section]:
    """Run all checks and time measurements."""
    write_spectrograms(folder, tracks, seconds)
    checks = [*curves(base), resumed(base, folder), system_metrics(base, folder)]
    times = [*throughput(base), side_by_side(base)]
    about = f"{tracks} tracks of {seconds:g} s, crops of 10 s, the causal C-RNN."
    return [Section("Checks", about, checks), Section("Speed", about, times)]


def main() -> None:
    """Run checks and measurements and write the results."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=(__doc__ or "")[:72])
    parser.add_argument("--tracks", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--cpu", action="store_true", help="test this command on a CPU")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/gpu.md"))
    options = parser.parse_args()
    if not torch.cuda.is_available() and not options.cpu:
        sys.exit("songnet: error: torch finds no NVIDIA GPU (use --cpu to test this command)")
    name = "no GPU" if options.cpu else torch.cuda.get_device_name()
    with tempfile.TemporaryDirectory() as folder:
        base = Training(folder)
        if options.cpu:
            base = replace(base, on_gpu=False, batch_size=4, steps=2, epochs=3)
        sections = measure(Path(folder), options.tracks, options.seconds, base)
    page = "\n".join(["# Training on a GPU", "", f"{name} · {machine()}", *markdown(sections)])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(page + "\n")
    print(page)
    failed = [row["check"] for row in sections[0].rows if row["result"] != "passed"]
    sys.exit(f"songnet: error: failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
