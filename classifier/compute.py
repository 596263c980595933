"""Where the arithmetic runs: which device, and how many CPU threads."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


def device_for(name: str) -> torch.device:
    """ "auto" takes the GPU when there is one; any other name is taken as it stands.

    Raises ValueError for "cuda" on a machine without a usable GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {name!r} is not available on this machine")
    return torch.device(name)


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Use ``count`` CPU threads inside the block (None: as many as before), then as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Arithmetic of half the width inside the block, where ``precision`` says so.

    "auto" takes bfloat16 on a GPU that has it: it has float32's range, so no loss is scaled.
    """
    capable = device.type == "cuda" and torch.cuda.is_bf16_supported()
    wanted = precision == "bfloat16" or (precision == "auto" and capable)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)


@contextmanager
def lanes(count: int) -> Iterator[ThreadPoolExecutor]:
    """``count`` threads that do arithmetic side by side, each on one CPU thread of its own.

    A batch a lane needs no waiting for one another within a batch: on two busy cores the seed
    network is four times as fast as with every batch split between two threads, on idle ones about
    as fast. What still waits when the block ends is given up; the process's own setting stays.
    """
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(
        count, thread_name_prefix="lane", initializer=torch.set_num_threads, initargs=(1,)
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # also for threads that are yet to begin
