"""A network's bare forward over pictures in memory, arranged as is quickest here: the limit."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classifier.compute import device_for, lanes

BATCHES = (16, 32, 64, 128, 256, 1024)
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
TRIED_ON, TRIES = 2048, 3  # images an arrangement, and how often


@dataclass(frozen=True)
class Arrangement:
    """How pictures are brought before a network."""

    batch: int
    layout: str
    side_by_side: bool  # a batch a thread; else the threads share each batch

    def to_dict(self) -> dict[str, object]:
        """As JSON."""
        threads = "a batch each" if self.side_by_side else "share a batch"
        return {"batch": self.batch, "layout": self.layout, "threads": threads}


class Bare:
    """The network over pictures (n, H, W, C) uint8, which lie in memory as a tensor."""

    def __init__(self, build: Callable[[], nn.Module], pictures: NDArray[np.uint8]) -> None:
        self.images = len(pictures)
        self._place = device_for("auto")
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)  # (n, C, H, W)
        self._pixels = {
            name: pixels.contiguous(memory_format=layout).to(self._place)
            for name, layout in LAYOUTS.items()
        }
        self._networks = {
            name: build().to(self._place, memory_format=layout).eval()  # type: ignore[call-overload]
            for name, layout in LAYOUTS.items()
        }

    def best(self, *, side_by_side: bool) -> Arrangement:
        """The quickest batch and layout, where threads go side by side or share each batch."""
        every = [Arrangement(*one, side_by_side) for one in product(BATCHES, LAYOUTS)]
        return min(every, key=lambda one: min(self.run(one, TRIED_ON) for _ in range(TRIES)))

    def run(self, arrangement: Arrangement, images: int | None = None) -> float:
        """Seconds for so many of the images, or all."""
        network = self._networks[arrangement.layout]
        pixels = self._pixels[arrangement.layout][:images]

        def forward(start: int) -> Tensor:
            with torch.inference_mode():
                said: Tensor = network(pixels[start : start + arrangement.batch])
            return said

        starts = range(0, len(pixels), arrangement.batch)
        begun = time.perf_counter()
        if arrangement.side_by_side:
            with lanes(torch.get_num_threads()) as pool:
                said = list(pool.map(forward, starts))
        else:
            said = [forward(start) for start in starts]
        said[-1].cpu()  # a GPU has then done them all
        return time.perf_counter() - begun
