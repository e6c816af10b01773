"""Where networks run: the CPU, or a GPU that no other training holds."""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from songnet.io import machine_lock

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
_LARGEST_KEPT = 2**30  # bytes


def device() -> torch.device:
    """Return the present GPU where there is one, else the CPU.

    ``CUDA_VISIBLE_DEVICES=`` in the environment hides GPUs.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def own_gpu() -> Iterator[int | None]:
    """Wait until a GPU is free of this user's other trainings and make it the present one.

    Yields:
        Its number; None, at once, where there is no GPU.
    """
    if not torch.cuda.is_available():
        yield None
        return
    # By their own numbers: a scheduler that hands out GPUs lets each job count from 0.
    count = torch.cuda.device_count()
    number, lock = _free_gpu([str(torch.cuda.get_device_properties(i).uuid) for i in range(count)])
    try:
        torch.cuda.set_device(number)
        yield number
    finally:
        lock.release()


def _free_gpu(gpus: list[str], pause: float = 1.0) -> tuple[int, FileLock]:
    """Lock the first GPU that is free and return its place. A lock ends with its process."""
    locks = [machine_lock(f"gpu-{gpu}") for gpu in gpus]
    while True:
        for number, lock in enumerate(locks):
            try:
                lock.acquire(blocking=False)
                return number, lock
            except Timeout:
                continue
        time.sleep(pause)


def to_device(tensor: Tensor) -> Tensor:
    """Copy a batch to `device`; from pinned memory, so that the GPU need not wait for it."""
    if device().type in ("cpu", tensor.device.type):
        return tensor
    return tensor.pin_memory().to(device(), non_blocking=True)


def fits_on_gpu(size: int) -> bool:
    """Whether there is a GPU with twice as many free bytes, so that a network has room beside."""
    return torch.cuda.is_available() and 2 * size < torch.cuda.mem_get_info()[0]


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next step, where it is glibc.

    By default it returns large blocks to the kernel, which clears each page that comes back.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST_KEPT)


def autocast(mixed_precision: bool | None) -> torch.autocast:
    """Mixed precision with bfloat16, which needs no scaling of the loss.

    Args:
        mixed_precision: None for where it pays: a GPU or a processor that computes in bfloat16.
    """
    where = device().type
    if mixed_precision is None:
        mixed_precision = (
            torch.cuda.is_bf16_supported(including_emulation=False)
            if where == "cuda"
            else _native()
        )
    return torch.autocast(where, torch.bfloat16, enabled=mixed_precision)


def _native() -> bool:
    """Whether the processor computes in bfloat16; older versions of torch cannot tell."""
    tell = getattr(torch.cpu, "get_capabilities", None)
    return bool(tell and tell().get("avx512_bf16"))
