"""Images through a network: logits, and logits to probabilities."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from classifier.compute import cpu_threads, device_for
from classifier.ensemble import Readings

CPU_BATCH = 64  # the fastest of 16 to 512 for the seed recipe on two cores
READABLE = ((4, "uint8"), (2, "float16"))  # pictures, or the features that stand for them
GPU_BATCH = 1024  # six times as fast as 64 on one H200; larger gains 2 %


def logits(
    network: nn.Module,
    images: npt.NDArray[Any] | Readings,
    *,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """What the network says about every image: (n, K) float32, n may be 0.

    images: (n, H, W, C) uint8, a memory map is read batch by batch; or (n, d) float16, the features
    that stand for them where the network reads such; or what each member of an ensemble reads.
    batch_size: None takes what is
    quick on the device. The network is moved to the device and put in evaluation mode. Raises
    ValueError when the images are no such array, RuntimeError from torch when their size is not
    the network's.
    """
    for part in images.parts if isinstance(images, Readings) else (images,):
        if (part.ndim, part.dtype.name) not in READABLE:
            raise ValueError(f"images must be (n, H, W, C) uint8, not {part.shape} {part.dtype}")
    place = device_for(device)
    if batch_size is None:
        batch_size = GPU_BATCH if place.type == "cuda" else CPU_BATCH
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    network.to(place, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    answers = []
    with cpu_threads(threads), torch.inference_mode():
        for start in range(0, max(1, len(images)), batch_size):
            seen = _seen(images[start : start + batch_size], place)  # (batch, C, H, W)
            answers.append(network(seen).float().cpu().numpy())  # (batch, classes)
    return np.concatenate(answers)


def _seen(part: npt.NDArray[Any] | Readings, place: torch.device) -> Tensor | list[Tensor]:
    """What the network is given of a few images."""
    if isinstance(part, Readings):
        return [one for read in part.parts if isinstance(one := _seen(read, place), Tensor)]
    batch = torch.from_numpy(np.array(part))
    return (batch.permute(0, 3, 1, 2) if batch.ndim == 4 else batch).to(place)


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
    scaled = (scaled - scaled.max(axis=-1, keepdims=True)) / temperature
    raised = np.exp(scaled)
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)
