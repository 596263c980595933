"""A replay as bytes: every stage of one picture's way through a network, small enough for a page.

The first four bytes are the length of a JSON header (little-endian), padded with spaces so that the
body after it begins at a multiple of four. The header says of each stage where its numbers lie in
the body, counted from the body's beginning, a multiple of four as well:

    {"format": "labelhub-replay-1", …what the caller adds…, "stages": [{
       "name": "conv1", "kind": "convolution",
       "shape": [16, 32, 32],              as the network has it: pixels (H, W, C), maps (F, H, W),
                                           or a row (units,)
       "shown": [16, 32, 32],              as it lies in the body, always maps or a row
       "left_out": 0, "pooled": 1,         maps or units that are not there; cells are means of
                                           pooled × pooled
       "min": -1.5, "max": 2.5,            of what is shown
       "type": "uint8", "scale": 0.0157,   value = min + scale × byte; or "float32", as it is
       "at": 0, "counts": 0.2,             counts: of an opinion
       "window": {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "groups": 1, "then": "",
                  "weights": {"shown": [16, 3, 3, 3], "at": 16384}, "bias": {"shown": [16], …}}
    }, …]}

Weights are those of the shown filters over the shown maps of the stage before, float32; null where
they would be more than MOST_WEIGHTS, or where cells are pooled, so that no patch makes them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.stages import Stage, Window

FORMAT = "labelhub-replay-1"
ALIGNED = 4  # bytes: what a Float32Array begins at
MOST_CELLS = 65_536  # of a stage's maps together
MOST_MAPS, FEWEST_MAPS = 64, 16
MOST_EDGE = 64  # of a map
MOST_UNITS = 4096  # of a row; logits, softmax and opinions are never cut
MOST_WEIGHTS = 40_000  # of a convolution
WHOLE = ("logits", "softmax", "opinion")
PIXELS = ("input", "resized", "normalise")

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Shown:
    """What is shown of a stage: ``values`` are maps (filters, h, w) or a row (units,)."""

    values: Floats
    left_out: int = 0
    pooled: int = 1


class _Body:
    """The numbers of all stages one after the other."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0

    def add(self, values: npt.NDArray[Any]) -> int:
        """Append an array; gives where it begins."""
        at, data = self.length, values.tobytes()
        data += b"\0" * (-len(data) % ALIGNED)
        self.parts.append(data)
        self.length += len(data)
        return at


def packed(stages: Sequence[Stage], about: Mapping[str, object]) -> bytes:
    """The stages as described above, with what else the header is to say (plain JSON).

    Raises ValueError where a stage holds NaN or infinity.
    """
    body = _Body()
    described = list(_described(stages, body))
    header = {"format": FORMAT, **about, "stages": described}
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % ALIGNED)
    return b"".join([len(text).to_bytes(4, "little"), text, *body.parts])


def unpacked(data: bytes) -> tuple[dict[str, Any], list[Floats]]:
    """The header, and the shown values of each stage as float32. Raises ValueError."""
    length = int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    if header.get("format") != FORMAT:
        raise ValueError(f"its format is {header.get('format')!r}, not {FORMAT!r}")
    body, found = data[4 + length :], []
    for stage in header["stages"]:
        kind = np.dtype("<f4" if stage["type"] == "float32" else "u1")
        count = int(np.prod(stage["shown"]))
        values = np.frombuffer(body, kind, count, stage["at"]).reshape(stage["shown"])
        if kind == np.uint8:
            values = stage["min"] + stage["scale"] * values.astype(np.float32)
        found.append(values.astype(np.float32))
    return header, found


def _described(stages: Sequence[Stage], body: _Body) -> Iterator[dict[str, object]]:
    before: _Shown | None = None
    for stage in stages:
        if not np.isfinite(stage.values).all():
            raise ValueError(f"stage {stage.name!r} holds NaN or infinity")
        shown = _shown(stage)
        described = {
            "name": stage.name,
            "kind": stage.kind,
            "shape": list(stage.values.shape),
            "shown": list(shown.values.shape),
            "left_out": shown.left_out,
            "pooled": shown.pooled,
            **_numbers(stage.kind, shown.values, body),
            "counts": stage.counts,
            "window": _window(stage.window, shown, before, body),
        }
        yield described
        before = shown


def _shown(stage: Stage) -> _Shown:
    values = stage.values
    if values.ndim == 1:
        most = len(values) if stage.kind in WHOLE else MOST_UNITS
        return _Shown(values[:most], max(0, len(values) - most))
    if stage.kind == "input":  # the picture itself, every pixel of it
        return _Shown(np.ascontiguousarray(values.transpose(2, 0, 1)))
    if stage.kind in PIXELS and values.shape[2] in (1, 3):
        values = values.transpose(2, 0, 1)
    pooled = -(-max(values.shape[1:]) // MOST_EDGE)
    cells = -(-values.shape[1] // pooled) * -(-values.shape[2] // pooled)
    count = min(len(values), MOST_MAPS, max(FEWEST_MAPS, MOST_CELLS // cells))
    return _Shown(_pooled(values[:count], pooled), len(values) - count, pooled)


def _pooled(maps: Floats, factor: int) -> Floats:
    """Means of factor by factor cells; at the far edges of what is left of them."""
    if factor == 1:
        return np.ascontiguousarray(maps)
    rows, columns = (np.arange(0, side, factor) for side in maps.shape[1:])
    sums = np.add.reduceat(np.add.reduceat(maps, rows, axis=1), columns, axis=2)
    heights = np.diff([*rows, maps.shape[1]])
    widths = np.diff([*columns, maps.shape[2]])
    return np.asarray(sums / np.outer(heights, widths), dtype=np.float32)


def _numbers(kind: str, values: Floats, body: _Body) -> dict[str, object]:
    """A stage's numbers into the body: maps in 256 steps, rows as they are."""
    least, most = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if values.ndim == 1:
        at = body.add(values.astype("<f4"))
        return {"min": least, "max": most, "type": "float32", "scale": 1.0, "at": at}
    if kind == "input":
        at = body.add(values.astype(np.uint8))
        return {"min": 0.0, "max": 255.0, "type": "uint8", "scale": 1.0, "at": at}
    scale = (most - least) / 255
    steps = np.rint((values - least) / scale) if scale else np.zeros_like(values)
    at = body.add(steps.clip(0, 255).astype(np.uint8))
    return {"min": least, "max": most, "type": "uint8", "scale": scale, "at": at}


def _window(
    window: Window | None, shown: _Shown, before: _Shown | None, body: _Body
) -> dict[str, object] | None:
    """Where a cell comes from, as far as the page has both sides of it."""
    if window is None or before is None or shown.pooled > 1 or before.pooled > 1:
        return None
    described: dict[str, object] = {
        "kernel": list(window.kernel),
        "stride": list(window.stride),
        "padding": list(window.padding),
        "groups": window.groups,
        "then": window.then,
        "weights": None,
        "bias": None,
    }
    if window.weights is None or window.bias is None:
        return described
    channels = len(before.values) if window.groups == 1 else window.weights.shape[1]
    weights = window.weights[: len(shown.values), :channels]
    if weights.size <= MOST_WEIGHTS:
        bias = window.bias[: len(shown.values)]
        for name, values in (("weights", weights), ("bias", bias)):
            at = body.add(np.ascontiguousarray(values, dtype="<f4"))
            described[name] = {"shown": list(values.shape), "at": at}
    return described
