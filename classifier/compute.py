"""Where the arithmetic runs: which device, and how many CPU threads."""

from collections.abc import Iterator
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
