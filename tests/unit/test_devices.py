"""GPUs are locked one by one; the CPU stands in for GPUs."""

import multiprocessing
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from songnet.training.devices import _free_gpu, autocast, own_gpu, to_device


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use locks in the test's own folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


def test_free_gpu_after_killed_training() -> None:
    # Another process holds the first of two GPUs and then the second, so the other one is free.
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "from songnet.training.devices import _free_gpu\n"
         "number, lock = _free_gpu(['a'])\nprint(number, flush=True)\ninput()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "0\n"
    number, lock = _free_gpu(["a", "b"])
    assert number == 1
    lock.release()
    holder.kill()
    holder.wait()
    number, lock = _free_gpu(["a"], pause=0.05)
    assert number == 0
    lock.release()


def hold_a_gpu(events: Any) -> None:
    """Hold one of three GPUs for a moment and return when."""
    number, lock = _free_gpu(["a", "b", "c"], pause=0.01)
    events.put((time.monotonic(), number, +1))
    time.sleep(0.1)
    events.put((time.monotonic(), number, -1))
    lock.release()


def test_own_gpu_with_eight_trainings_on_three_gpus() -> None:
    context = multiprocessing.get_context("fork")
    events = context.SimpleQueue()
    trainings = [context.Process(target=hold_a_gpu, args=(events,)) for _ in range(8)]
    for training in trainings:
        training.start()
    for training in trainings:
        training.join(60)
    assert [training.exitcode for training in trainings] == [0] * 8
    held = {0: 0, 1: 0, 2: 0}
    for _, number, change in sorted(events.get() for _ in range(16)):
        held[number] += change
        assert held[number] in (0, 1)


@pytest.mark.parametrize(("uuid", "waits"), [("GPU-1", True), ("GPU-2", False)])
def test_own_gpu_locks_by_uuid(monkeypatch: pytest.MonkeyPatch, uuid: str, waits: bool) -> None:
    """Two jobs of a scheduler that both see one GPU with index 0, which may be different GPUs."""
    chosen: list[int] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda i: SimpleNamespace(uuid="GPU-1"))
    _, other = _free_gpu([uuid])
    # The other job ends while this one waits, and not before.
    monkeypatch.setattr("songnet.training.devices.time.sleep", lambda seconds: other.release())
    with own_gpu() as number:
        assert number == 0 and chosen == [0]
        assert other.is_locked is not waits
    other.release()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_own_gpu_without_gpu_does_not_wait() -> None:
    with own_gpu() as number:
        assert number is None
    tensor = torch.ones(3)
    assert to_device(tensor) is tensor


def test_mixed_precision_computes_in_bfloat16() -> None:
    layer = torch.nn.Linear(4, 4)
    with autocast(True):
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    with autocast(False):
        assert layer(torch.ones(1, 4)).dtype == torch.float32


def test_autocast_is_off_where_bfloat16_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    # An older GPU, as reported by torch.
    monkeypatch.setattr(
        "torch.cuda.is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    monkeypatch.setattr("songnet.training.devices.device", lambda: SimpleNamespace(type="cuda"))
    asked: list[bool] = []
    monkeypatch.setattr("torch.autocast", lambda where, dtype, enabled: asked.append(enabled))
    autocast(None)
    assert asked == [False]
