"""Draws curves of simulations: right labels against people's time, a line a strategy and corpus."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import log10
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from workers.simulate.data import SimulationError

WIDTH, HEIGHT = 840, 480
LEFT, TOP, RIGHT, BOTTOM = 64, 72, 190, 56
COLOURS = ("#4b3fd1", "#b4480f", "#0f7b5f", "#9c2f6d", "#7a6a00", "#2a6fb0", "#6b6860", "#c0392b")
DASHES = ("", "7 4", "2 4", "9 3 2 3")  # where there are more curves than colours
SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10)  # of the axis, which goes on where a curve does
FURTHER = (20, 50, 100, 200, 500, 1000, 2000, 5000)
MARGIN = 1.3  # times the last number on the axis
RIGHT_SHARES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
STEPS = 60  # places along a curve
LABEL_HEIGHT = 19.0
# What a result has to hold, and what each point of its curve: numbers from 0 to so much.
FIELDS: dict[str, type] = {
    "strategy": str, "images": int, "classes": int, "recipe": str, "forms": str,
    "retrain_every_minutes": int, "curve": list,
}  # fmt: skip
IN_WORDS = {str: "text", int: "whole number", list: "list"}
POINT = {"human_seconds_per_image": 1_000_000, "label_accuracy": 1}
HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
    f'height="{HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="14">'
)


@dataclass(frozen=True)
class Curve:
    """Share of right labels (n,) after human seconds an image (n,): the mean of several seeds, and
    the least and the most of them."""

    name: str
    seconds: NDArray[np.float64]
    mean: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    seeds: int


class Played(NamedTuple):
    """What was played: only plays of the same are averaged."""

    strategy: str
    images: int
    classes: int
    recipe: str
    forms: str
    minutes: int  # between Rounds

    def name(self, others: Collection["Played"]) -> str:
        """The strategy, and what tells it from the others of that name."""
        alike = [other for other in others if other.strategy == self.strategy]
        told = (f"{self.images} images", f"{self.classes} classes", self.recipe, self.forms,
                f"a Round every {self.minutes} minutes")  # fmt: skip
        differs = [len({other[place] for other in alike}) > 1 for place in range(1, len(self))]
        return ", ".join([self.strategy, *compress(told, differs)])


Run = tuple[NDArray[np.float64], NDArray[np.float64]]  # (n,) seconds an image, (n,) shares right


def read_curves(files: Sequence[Path]) -> list[Curve]:
    """Results of ``simulate``, in the order they come: one Curve for what was played the same way
    but for the seed.

    Raises SimulationError.
    """
    runs: dict[Played, list[Run]] = defaultdict(list)
    for path in files:
        played, run = _read(path)
        runs[played].append(run)
    return [_curve(played.name(runs), of) for played, of in runs.items()]


def _read(path: Path) -> tuple[Played, Run]:
    told = _told(path)
    for name, kind in FIELDS.items():
        if name not in told:
            raise SimulationError(f"{path}: no result of simulate: it has no {name!r}")
        if not isinstance(told[name], kind) or isinstance(told[name], bool):
            raise SimulationError(f"{path}: {name!r} is no {IN_WORDS[kind]}")
    played = Played(
        strategy=told["strategy"],
        images=told["images"],
        classes=told["classes"],
        recipe=told["recipe"],
        forms=told["forms"],
        minutes=told["retrain_every_minutes"],
    )
    return played, _run(path, told["curve"])


def _told(path: Path) -> dict[str, Any]:
    """The object in the file. Raises SimulationError."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SimulationError(f"{path}: it cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise SimulationError(f"{path}: there is no JSON in it ({error})") from error
    if not isinstance(told, dict):
        raise SimulationError(f"{path}: no result of simulate: an object was expected")
    return told


def _run(path: Path, curve: Sequence[Any]) -> Run:
    """Seconds and shares of the points. Raises SimulationError."""
    points: list[list[float]] = []
    for number, point in enumerate(curve, 1):
        if not isinstance(point, dict):
            raise SimulationError(f"{path}, point {number} of the curve: an object was expected")
        for name, most in POINT.items():
            value = point.get(name)
            if name not in point:
                raise SimulationError(f"{path}, point {number} of the curve: it has no {name!r}")
            if not isinstance(value, int | float) or not 0 <= value <= most:
                raise SimulationError(
                    f"{path}, point {number} of the curve: {name!r} is no number, 0 to {most:,}"
                )
        points.append([float(point[name]) for name in POINT])
    if not points:
        raise SimulationError(f"{path}: there are no points in its curve")
    seconds, shares = np.array(points, dtype=np.float64).T
    return seconds, shares


def _curve(name: str, runs: Sequence[Run]) -> Curve:
    first, last = SECONDS[0], min(float(seconds[-1]) for seconds, _ in runs)
    along = np.geomspace(first, max(last, first * 1.01), STEPS)
    all_runs = np.stack([np.interp(along, seconds, accuracy) for seconds, accuracy in runs])
    return Curve(name, along, all_runs.mean(0), all_runs.min(0), all_runs.max(0), len(runs))


def usual_practice(seconds: float, accuracy: float) -> Curve:
    """Every image labelled outright, one after the other in random order, for so many seconds each:
    what is not labelled yet is not right."""
    along = np.geomspace(SECONDS[0], seconds, STEPS)
    share = accuracy * along / seconds
    return Curve("three choices each", along, share, share, share, 1)


def draw(curves: Sequence[Curve], title: str) -> str:
    """The plot as SVG."""
    seeds = max(curve.seeds for curve in curves)
    across = _Across.to(max(float(curve.seconds[-1]) for curve in curves))
    parts = [
        HEAD,
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#faf9f5"/>',
        _text(LEFT, 30, title, size=17, weight=700),
        _text(LEFT, 52, f"Right labels, %, by human seconds an image; {seeds} seeds, mean, "
              "least and most", fill="#6b6860"),
        *_grid(across),
    ]  # fmt: skip
    labels = _apart({curve.name: _y(float(curve.mean[-1])) for curve in curves})
    for number, curve in enumerate(curves):
        turn, place = divmod(number, len(COLOURS))
        colour, dash = COLOURS[place], DASHES[turn % len(DASHES)]
        parts += [_band(curve, colour, across), _line(curve, colour, dash, across)]
        x = WIDTH - RIGHT + 12
        parts.append(_text(x, labels[curve.name] + 5, curve.name, fill=colour, weight=600))
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Across(NamedTuple):
    """The axis of human seconds: from left to right by the logarithm."""

    marks: tuple[float, ...]

    @classmethod
    def to(cls, last: float) -> "_Across":
        """Wide enough for so many seconds."""
        marks = list[float](SECONDS)
        for mark in FURTHER:
            if last > marks[-1] * MARGIN:
                marks.append(mark)
        return cls(tuple(marks))

    def x(self, seconds: float) -> float:
        """Where so many lie on the sheet; what is outside lies on the edge."""
        ends = log10(self.marks[0]), log10(self.marks[-1] * MARGIN)
        along = (log10(max(seconds, self.marks[0])) - ends[0]) / (ends[1] - ends[0])
        return LEFT + min(along, 1.0) * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    """From the bottom up by the logarithm of what is wrong: from half right to 99.5 % right."""
    shown = min(max(share, RIGHT_SHARES[0]), RIGHT_SHARES[-1])
    ends = log10(1 - RIGHT_SHARES[0]), log10(1 - RIGHT_SHARES[-1])
    return TOP + (log10(1 - shown) - ends[1]) / (ends[0] - ends[1]) * (HEIGHT - TOP - BOTTOM)


def _grid(across: _Across) -> list[str]:
    """Lines and numbers of both axes."""
    drawn = []
    for share in RIGHT_SHARES:
        y = _y(share)
        drawn.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e4e1d8"/>')
        drawn.append(_text(LEFT - 8, y + 5, f"{100 * share:g}", anchor="end", fill="#6b6860"))
    for seconds in across.marks:
        x, bottom = across.x(seconds), HEIGHT - BOTTOM
        drawn.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#e4e1d8"/>')
        drawn.append(_text(x, bottom + 20, f"{seconds:g}", anchor="middle", fill="#6b6860"))
    return drawn


def _line(curve: Curve, colour: str, dash: str, across: _Across) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="M{_path(curve.seconds, curve.mean, across)}" fill="none" stroke="{colour}" '
        f'stroke-width="2" stroke-linejoin="round"{dashes}/>'
    )


def _band(curve: Curve, colour: str, across: _Across) -> str:
    there = _path(curve.seconds, curve.most, across)
    back = _path(curve.seconds[::-1], curve.least[::-1], across)
    return f'<path d="M{there}L{back}Z" fill="{colour}" fill-opacity=".12"/>'


def _path(seconds: NDArray[np.float64], shares: NDArray[np.float64], across: _Across) -> str:
    return "L".join(
        f"{across.x(s):.1f} {_y(share):.1f}" for s, share in zip(seconds, shares, strict=True)
    )


def _apart(wanted: Mapping[str, float]) -> dict[str, float]:
    """Heights of labels, moved down until none covers another."""
    placed: dict[str, float] = {}
    lowest = TOP - LABEL_HEIGHT
    for name, y in sorted(wanted.items(), key=lambda one: one[1]):
        lowest = max(y, lowest + LABEL_HEIGHT)
        placed[name] = lowest
    return placed


def _text(
    x: float, y: float, words: str, *, fill: str = "#1d1b18", anchor: str = "start", size: int = 14,
    weight: int = 400,
) -> str:  # fmt: skip
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )
