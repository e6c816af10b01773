"""GPUs are taken one by one; what a GPU would do is done on the CPU here."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from songnet.devices import _free_gpu, autocast, own_gpu, to_device


def test_two_trainings_never_share_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    # Another process holds the first of two GPUs, then the second is the free one.
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "from songnet.devices import _free_gpu\n"
         "number, lock = _free_gpu(1)\nprint(number, flush=True)\ninput()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "0\n"
    number, lock = _free_gpu(2)
    assert number == 1
    lock.release()
    # A killed training leaves no lock behind.
    holder.kill()
    holder.wait()
    number, lock = _free_gpu(1, pause=0.05)
    assert number == 0
    lock.release()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_machine_without_gpu_waits_for_none() -> None:
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
