"""Devices on which networks run: the CPU, or a GPU that no other training uses."""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from songnet.io import machine_lock

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
_LARGEST_KEPT = 2**30  # maximum size in bytes of freed blocks that malloc keeps


def device() -> torch.device:
    """Return the current GPU if there is one, else the CPU.

    Set ``CUDA_VISIBLE_DEVICES=`` in the environment to hide GPUs.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def own_gpu() -> Iterator[int | None]:
    """Wait for a GPU that no other training of this user holds, and make it the current device.

    Yields:
        Index of the GPU; None, without waiting, if there is no GPU.
    """
    if not torch.cuda.is_available():
        yield None
        return
    # Locks use UUIDs, because indices start at 0 in every job if a scheduler assigns the GPUs.
    count = torch.cuda.device_count()
    number, lock = _free_gpu([str(torch.cuda.get_device_properties(i).uuid) for i in range(count)])
    try:
        torch.cuda.set_device(number)
        yield number
    finally:
        lock.release()


def _free_gpu(gpus: list[str], pause: float = 1.0) -> tuple[int, FileLock]:
    """Lock the first free GPU and return its index; the lock is released with its process."""
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
    """Copy a batch to `device`, from pinned memory so that the copy is asynchronous."""
    if device().type in ("cpu", tensor.device.type):
        return tensor
    return tensor.pin_memory().to(device(), non_blocking=True)


def fits_on_gpu(size: int) -> bool:
    """Return whether the GPU has twice as many free bytes, to leave room for the network."""
    return torch.cuda.is_available() and 2 * size < torch.cuda.mem_get_info()[0]


def keep_freed_memory() -> None:
    """Make glibc keep the memory that a training step frees, for the next step.

    By default, large blocks return to the kernel, which clears each page before it is used again.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST_KEPT)


def autocast(mixed_precision: bool | None) -> torch.autocast:
    """Return a context for mixed precision with bfloat16, which needs no loss scaling.

    Args:
        mixed_precision: whether to enable it; None for hardware with native bfloat16.
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
    """Return whether the CPU computes in bfloat16; False if this version of torch cannot tell."""
    get_capabilities = getattr(torch.cpu, "get_capabilities", None)
    return bool(get_capabilities and get_capabilities().get("avx512_bf16"))
