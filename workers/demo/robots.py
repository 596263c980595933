"""Simulated visitors: they look at the sheet, decide by what it shows, err now and then, and send.

    python -m workers.demo.robots --address http://127.0.0.1:8000 --project shapes \\
        --truth truth.npz --count 5

They know nothing but the pages. A server that is away is waited for; a visitor to whom nothing is
left to ask leaves, and another one comes. Ends on SIGTERM or Ctrl-C.
"""

import argparse
import http.client
import io
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image

from workers.demo.browser import Browser, Form, Page, Unavailable
from workers.demo.truth import Eye, Truth, UnknownPicture

logger = logging.getLogger("robots")
BACK_OFF_FIRST, BACK_OFF_LONGEST = 0.5, 8.0  # seconds
TELL_EVERY = 30.0  # seconds
Seen = TypeVar("Seen")
AWAY = (OSError, http.client.HTTPException)


class Pause(Protocol):
    """Waits so many seconds; true when it is time to end instead."""

    def __call__(self, seconds: float, /) -> bool: ...


class Ended(Exception):
    """It is time to end."""


@dataclass(frozen=True)
class Habits:
    """How a robot answers: right with ``accuracy`` on each tile, ``pace`` seconds a grid."""

    accuracy: float = 0.95
    pace: float = 2.5


@dataclass
class Tally:
    """What a robot has done so far."""

    grids: int = 0
    visitors: int = 0


class Robot:
    """One visitor after another, with a generator of its own. ``pause`` is how it waits."""

    def __init__(
        self,
        *,
        address: str,
        project: str,
        eye: Eye,
        habits: Habits,
        generator: Random,
        pause: Pause,
    ) -> None:
        self._address = address
        self._landing = f"/p/{project}/"
        self._eye = eye
        self._habits = habits
        self._generator = generator
        self._pause = pause
        self.tally = Tally()

    def run(self) -> None:
        """Visit until it is time to end."""
        try:
            while True:
                self.visit()
                self._wait(max(self._thinking(), BACK_OFF_FIRST))
        except Ended:
            return

    def visit(self) -> None:
        """Come as a new visitor and answer grids until there is none. Raises Ended."""
        with Browser(self._address) as browser:
            landing = self._insist(lambda: browser.open(self._landing))
            if not landing.forms:
                return
            self.tally.visitors += 1
            page = self._insist(lambda: browser.send(landing.forms[-1]))
            while (grid := page.grid) is not None:
                page = self._answered(browser, page, grid)

    def _answered(self, browser: Browser, page: Page, grid: Form) -> Page:
        sheet = self._insist(lambda: browser.picture(page.pictures[-1]))  # after the examples
        self._wait(self._thinking())
        try:
            picked = self.picked(sheet, asked=page.emphasised, grid=grid)
        except UnknownPicture as error:
            logger.info("skipped a grid: %s", error)
            skip = next(iter(grid.other_actions), page.url)
            return self._insist(lambda: browser.send(grid, to=skip))
        after = self._insist(lambda: browser.send(grid, picked))
        self.tally.grids += 1
        return after

    def _insist(self, act: Callable[[], Seen]) -> Seen:
        """Do it again until the server answers; repeating an answer changes nothing there."""
        seconds = BACK_OFF_FIRST
        while True:
            try:
                return act()
            except Unavailable as error:
                self._wait(min(max(seconds, error.seconds), BACK_OFF_LONGEST))
            except AWAY:
                self._wait(seconds)
            seconds = min(2 * seconds, BACK_OFF_LONGEST)

    def _wait(self, seconds: float) -> None:
        if self._pause(seconds):
            raise Ended

    def picked(self, sheet: bytes, *, asked: str, grid: Form) -> list[str]:
        """The squares this robot takes for the class in question. Raises UnknownPicture."""
        with Image.open(io.BytesIO(sheet)) as opened:
            seen = self._eye.look(np.asarray(opened.convert("RGB")), tiles=len(grid.boxes))
        return [
            value
            for (_, value), key in zip(grid.boxes, seen, strict=True)
            if (key == asked) == self._is_right()
        ]

    def _is_right(self) -> bool:
        return self._generator.random() < self._habits.accuracy

    def _thinking(self) -> float:
        return self._habits.pace * self._generator.uniform(0.6, 1.4)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; one thread a robot."""
    parser = argparse.ArgumentParser(prog="python -m workers.demo.robots")
    parser.add_argument("--address", required=True, help="http://host:port of the site")
    parser.add_argument("--project", required=True, help="slug of the project")
    parser.add_argument("--truth", required=True, type=Path, help="what the pictures show")
    parser.add_argument("--count", type=int, default=5, help="visitors at a time")
    parser.add_argument("--accuracy", type=float, default=Habits.accuracy, help="on each tile")
    parser.add_argument("--pace", type=float, default=Habits.pace, help="seconds a grid")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    eye = Eye(Truth.load(options.truth))
    robots = [
        Robot(
            address=options.address,
            project=options.project,
            eye=eye,
            habits=Habits(options.accuracy, options.pace),
            generator=Random(f"{options.seed} {number}"),  # noqa: S311  dice, not secrets
            pause=end.wait,
        )
        for number in range(options.count)
    ]
    threads = [threading.Thread(target=robot.run) for robot in robots]
    for thread in threads:
        thread.start()
    told = -1
    while not end.wait(TELL_EVERY):
        grids = sum(robot.tally.grids for robot in robots)
        if grids != told:
            visitors = sum(robot.tally.visitors for robot in robots)
            logger.info("%s grids answered by %s visitors", grids, visitors)
        told = grids
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
