"""A network as a picture: its stages in a row, maps as sheets, rows of numbers as bars. SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from classifier.stages import Stage

WIDTH = 960  # of the picture; stages that do not fit go on in the next line
LINE = 150  # from one line of stages to the next
LEFT, TOP = 16, 52
TALLEST = 84.0  # of a sheet or a bar
GAP = 18
SHADES = (0.35, 0.43, 0.51, 0.59, 0.67, 0.75, 0.83)  # of the sheets of a stack, the first in front
SHEETS = len(SHADES)
STYLE = """
svg{font:12px/1.2 system-ui,sans-serif;--ink:#22262e;--soft:#667085;--pixels:#8a94a6;
--convolution:#2f6fde;--relu:#e0912f;--pooling:#2a9d6f;--row:#7a5cc9;--said:#cf3e5b;--other:#5f7f95}
@media (prefers-color-scheme:dark){svg{--ink:#e8eaee;--soft:#9aa3b2;--pixels:#7b8596;
--convolution:#6a9cff;--relu:#f0b05f;--pooling:#56c596;--row:#a48cf0;--said:#f07088;--other:#86a5ba}}
text{fill:var(--ink)}.soft{fill:var(--soft);font-size:11px}.title{font-weight:600;font-size:15px}
rect{stroke:var(--ink);stroke-opacity:.35;stroke-width:.75}
""".strip().replace("\n", "")
COLOURS = {
    "input": "pixels", "resized": "pixels", "normalise": "pixels", "convolution": "convolution",
    "residual": "convolution", "block": "convolution", "relu": "relu", "relu6": "relu",
    "pooling": "pooling", "average": "pooling", "flatten": "row",
    "linear": "row", "dropout": "row", "opinion": "row", "logits": "said", "softmax": "said",
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """Of a stage on paper: ``sheets`` of ``edge`` pixels each, or one bar that is ``edge`` tall."""

    sheets: int
    edge: float

    @classmethod
    def of(cls, stage: Stage) -> "Shape":
        """Sizes by their logarithm, or large ones would leave no room for small ones."""
        shape = stage.values.shape
        if len(shape) == 1:
            return cls(0, min(TALLEST, 14 + 7 * math.log2(1 + shape[0])))
        maps, side = _maps_and_side(stage)
        return cls(min(SHEETS, 1 + maps.bit_length() // 2), min(TALLEST, 10 + 9 * math.log2(side)))

    @property
    def width(self) -> float:
        """Of what is drawn."""
        return self.edge + 4 * (self.sheets - 1) if self.sheets else 12.0


def drawn(stages: Sequence[Stage], *, title: str) -> str:
    """The picture of the stages of one network, as ``activations.stages`` gives them."""
    parts, x, line = [], float(LEFT), 0
    for stage in stages:
        shape = Shape.of(stage)
        room = max(shape.width, 6.4 * max(len(stage.name), len(_size(stage)))) + GAP
        if x + room > WIDTH and x > LEFT:
            x, line = float(LEFT), line + 1
        parts.append(_stage(stage, shape, x, TOP + line * LINE))
        x += room
    height = TOP + (line + 1) * LINE
    says = " → ".join(f"{stage.name} {_size(stage)}" for stage in stages)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(says)}</desc><style>{STYLE}</style>"
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>{"".join(parts)}</svg>\n'
    )


def _stage(stage: Stage, shape: Shape, x: float, y: float) -> str:
    colour = f"var(--{COLOURS.get(stage.kind, 'other')})"
    top = y + (TALLEST - shape.edge) / 2
    if shape.sheets:
        size = f'width="{shape.edge:.1f}" height="{shape.edge:.1f}" rx="2" fill="{colour}"'
        drawing = "".join(
            f'<rect x="{x + 4 * n:.1f}" y="{top + 9 - 3 * n:.1f}" {size} fill-opacity="{shade}"/>'
            for n, shade in reversed(list(enumerate(SHADES[: shape.sheets])))
        )
    else:
        drawing = (
            f'<rect x="{x:.1f}" y="{top:.1f}" width="12" height="{shape.edge:.1f}" rx="3" '
            f'fill="{colour}" fill-opacity=".7"/>'
        )
    words = y + TALLEST + 28
    return (
        f'{drawing}<text x="{x:.1f}" y="{words:.1f}">{escape(stage.name)}</text>'
        f'<text class="soft" x="{x:.1f}" y="{words + 15:.1f}">{_size(stage)}</text>'
    )


def _maps_and_side(stage: Stage) -> tuple[int, int]:
    """How many maps, and the side of one; pixels are stored with their channels last."""
    first, second, third = stage.values.shape
    pixels = stage.kind in {"input", "resized", "normalise"}
    return (third, first) if pixels else (first, max(second, third))


def _size(stage: Stage) -> str:
    """How a stage's size is written: 64×8×8, or 4096."""
    shape = stage.values.shape
    if len(shape) == 1:
        return str(shape[0])
    maps, side = _maps_and_side(stage)
    return f"{maps}×{side}×{side}"
