"""Images through networks: logits, and logits to probabilities."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from classifier.compute import cpu_threads, device_for, lanes
from classifier.ensemble import Readings

READABLE = ((4, "uint8"), (2, "float16"))  # pictures, or the features that stand for them
# On a CPU, what outgrows the cache is also given back to the system and fetched anew each time: 64
# pictures of 32 x 32 pixels take 1.2 to 2 times as long each as 32. On a GPU (one H200), 1,024 are
# six times as fast as 64, and more gain 2 %.
CPU_BATCH, CPU_LEAST = 32, 4
GPU_BATCH, GPU_LEAST = 1024, 16
UNCROWDED = 64 * 64  # pixels of a picture up to which a batch is that large
ROWS_BATCH = 512  # of features: what they are compared with is brought to float32 for each batch
GPU_LANES = 2
BATCHES_AT_ONCE = 8  # read, and handed to a thread
AHEAD = (
    12  # jobs begun while the answer of one is awaited: a disk that is slow for once stops nobody
)


class Read(Protocol):
    """What a network reads of n images: an array, or rows that lie on disk until they are looked
    at. (n, H, W, C) uint8 pixels, or (n, d) float16 features."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> npt.NDArray[Any]: ...


Seen = Read | Readings  # of an ensemble, what each member reads


def logits(
    network: nn.Module,
    images: Seen,
    *,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """What the network says about every image: (n, K) float32, n may be 0.

    images: (n, H, W, C) uint8, a memory map is read batch by batch; or (n, d) float16, the features
    that stand for them where the network reads such; or what each member of an ensemble reads.
    batch_size: None takes what is quick on the device. The network is moved to the device and put
    in evaluation mode. Raises ValueError when the images are no such array, RuntimeError from torch
    when their size is not the network's.
    """
    job = _Job.of(network, images, batch_size, device_for(device))
    if len(images) <= job.batch:
        _ready(network, job.place)
        with cpu_threads(threads):
            return job.answer(slice(0, job.batch))
    [said] = answers([(network, images)], batch_size=batch_size, device=device, threads=threads)
    return said


def answers(
    jobs: Iterable[tuple[nn.Module, Seen]],
    *,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Generator[npt.NDArray[np.float32], None, None]:
    """The ``logits`` of one network and its images after the other, while those behind them are
    reckoned: whoever writes an answer down keeps no network waiting.

    Batches go side by side, one a CPU thread; of a GPU's two lanes one fetches while the other
    reckons. At most AHEAD jobs are begun before their turn, so that memory stays flat. Close it to
    give up the rest. Raises what ``logits`` raises.
    """
    place = device_for(device)
    count = GPU_LANES if place.type == "cuda" else threads or torch.get_num_threads()
    with lanes(count) as pool:
        begun: deque[list[Future[npt.NDArray[np.float32]]]] = deque()
        ready: set[nn.Module] = set()
        for network, images in jobs:
            job = _Job.of(network, images, batch_size, place)
            if network not in ready:  # a walk through all its layers
                ready.add(_ready(network, place))
            begun.append([pool.submit(job.answer, span) for span in job.spans(count)])
            if len(begun) > AHEAD:
                yield _joined(begun.popleft())
        while begun:
            yield _joined(begun.popleft())


def _joined(batches: list[Future[npt.NDArray[np.float32]]]) -> npt.NDArray[np.float32]:
    return np.concatenate([batch.result() for batch in batches])


def _ready(network: nn.Module, place: torch.device) -> nn.Module:
    """The network on its device, in the layout that convolutions are quickest in."""
    return network.to(place, memory_format=torch.channels_last).eval()  # type: ignore[call-overload,no-any-return]


@dataclass(frozen=True)
class _Job:
    """A network, and the images about which it is asked batch by batch."""

    network: nn.Module
    images: Seen
    batch: int
    place: torch.device

    @classmethod
    def of(
        cls, network: nn.Module, images: Seen, batch_size: int | None, place: torch.device
    ) -> "_Job":
        """Raises ValueError."""
        parts: tuple[Read, ...] = images.parts if isinstance(images, Readings) else (images,)
        for part in parts:
            if (len(part.shape), part.dtype.name) not in READABLE:
                told = f"{tuple(part.shape)} {part.dtype}"
                raise ValueError(f"images must be (n, H, W, C) uint8, not {told}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        quick = min(_quick_batch(part.shape, place) for part in parts)
        return cls(network, images, batch_size or quick, place)

    def spans(self, count: int) -> list[slice]:
        """The images in order, a few batches at a time that lie together on disk, and no fewer
        parts than ``count`` where there are so many batches. One part of none where there are none.
        """
        batches = -(-len(self.images) // self.batch)
        size = self.batch * max(1, min(BATCHES_AT_ONCE, batches // count))
        return [slice(one, one + size) for one in range(0, max(1, len(self.images)), size)]

    def answer(self, span: slice) -> npt.NDArray[np.float32]:
        """(span, K) of some images, batch by batch."""
        read = self.images[span]
        with torch.inference_mode():
            said = [
                self.network(_given(read[start : start + self.batch], self.place)).float().cpu()
                for start in range(0, max(1, len(read)), self.batch)
            ]
            answer: npt.NDArray[np.float32] = torch.cat(said).numpy()
        return answer


def _given(part: npt.NDArray[Any] | Readings, place: torch.device) -> Tensor | list[Tensor]:
    """What the network is given of a few images: pictures are (batch, C, H, W)."""
    if isinstance(part, Readings):
        return [_as_tensor(one[:], place) for one in part.parts]
    return _as_tensor(part, place)


def _as_tensor(part: npt.NDArray[Any], place: torch.device) -> Tensor:
    batch = torch.from_numpy(_own(part))
    return (batch.permute(0, 3, 1, 2) if batch.ndim == 4 else batch).to(place)


def _own(batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """In order and writable, as torch wants it; copied only where it is not."""
    return np.require(batch, requirements=("C", "W"))


def _quick_batch(shape: tuple[int, ...], place: torch.device) -> int:
    """The fastest batch of those tried, for the seed recipe on pictures of 16 to 224 pixels."""
    if len(shape) == 2:
        return ROWS_BATCH
    most, least = (GPU_BATCH, GPU_LEAST) if place.type == "cuda" else (CPU_BATCH, CPU_LEAST)
    return min(most, max(least, most * UNCROWDED // (shape[1] * shape[2])))


def probabilities(logits: npt.NDArray[Any], temperature: float = 1.0) -> npt.NDArray[np.float32]:
    """Softmax of logits / temperature over the last axis, reckoned in float64.

    The network's favourite class stays a maximum at any temperature. Raises ValueError for a
    temperature that is not above 0 or for logits that are not finite.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    if not np.isfinite(logits).all():
        raise ValueError("logits hold NaN or infinity")
    scaled = logits.astype(np.float64)
    with np.errstate(over="ignore"):  # what is that far behind has no share at all
        scaled = (scaled - scaled.max(axis=-1, keepdims=True)) / temperature
    raised = np.exp(scaled)
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)
