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
CHOICE_OF_A_GRID = 0.3  # of the time: 4.2 seconds to nine times 1.7
Seen = TypeVar("Seen")
AWAY = (OSError, http.client.HTTPException)


class Pause(Protocol):
    """Waits so many seconds; true when it is time to end instead."""

    def __call__(self, seconds: float, /) -> bool: ...


class Ended(Exception):
    """It is time to end."""


@dataclass(frozen=True)
class Habits:
    """How a robot answers: right with ``accuracy`` on each picture, ``pace`` seconds a grid."""

    accuracy: float = 0.95
    pace: float = 2.5

    def thinking(self, form: Form) -> float:
        """Seconds for a grid, or for a choice, which takes people a part of that."""
        return self.pace * CHOICE_OF_A_GRID if form.buttons else self.pace


@dataclass
class Tally:
    """What a robot has done so far."""

    grids: int = 0
    choices: int = 0
    visitors: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.grids + other.grids,
            self.choices + other.choices,
            self.visitors + other.visitors,
        )

    def __str__(self) -> str:
        return f"{self.grids} grids and {self.choices} choices answered by {self.visitors} visitors"


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
                self._wait(max(self._about(self._habits.pace), BACK_OFF_FIRST))
        except Ended:
            return

    def visit(self) -> None:
        """Come as a new visitor and answer what is asked until nothing is. Raises Ended."""
        with Browser(self._address) as browser:
            landing = self._insist(lambda: browser.open(self._landing))
            if not landing.forms:
                return
            self.tally.visitors += 1
            page = self._insist(lambda: browser.send(landing.forms[-1]))
            while (form := page.question) is not None:
                page = self._answered(browser, page, form)

    def _answered(self, browser: Browser, page: Page, form: Form) -> Page:
        sheet = self._insist(lambda: browser.picture(page.sheet))
        self._wait(self._about(self._habits.thinking(form)))
        try:
            if form.buttons:
                picked = self.chosen(sheet, form=form)
            else:
                picked = self.picked(sheet, asked=page.emphasised, grid=form)
        except UnknownPicture as error:
            logger.info("skipped a question: %s", error)
            skip = next(iter(form.other_actions), page.url)
            return self._insist(lambda: browser.send(form, to=skip))
        after = self._insist(lambda: browser.send(form, picked))
        self.tally += Tally(choices=1) if form.buttons else Tally(grids=1)
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
        return [
            value
            for value, key in zip(grid.boxes, self._seen(sheet, len(grid.boxes)), strict=True)
            if (key == asked) == self._is_right()
        ]

    def chosen(self, sheet: bytes, *, form: Form) -> list[str]:
        """The class this robot takes the picture for; the last button is none of the others.

        Raises UnknownPicture.
        """
        [key] = self._seen(sheet, 1)
        *_, none = form.buttons
        true = next((value for value, words in form.buttons.items() if words == key), none)
        if self._is_right():
            return [true]
        return [self._generator.choice([value for value in form.buttons if value != true])]

    def _seen(self, sheet: bytes, tiles: int) -> list[str]:
        with Image.open(io.BytesIO(sheet)) as opened:
            return self._eye.look(np.asarray(opened.convert("RGB")), tiles=tiles)

    def _is_right(self) -> bool:
        return self._generator.random() < self._habits.accuracy

    def _about(self, seconds: float) -> float:
        return seconds * self._generator.uniform(0.6, 1.4)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; one thread a robot."""
    parser = argparse.ArgumentParser(prog="python -m workers.demo.robots")
    parser.add_argument("--address", required=True, help="http://host:port of the site")
    parser.add_argument("--project", required=True, help="slug of the project")
    parser.add_argument("--truth", required=True, type=Path, help="what the pictures show")
    parser.add_argument("--count", type=int, default=5, help="visitors at a time")
    parser.add_argument("--accuracy", type=float, default=Habits.accuracy, help="on each picture")
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
    told = Tally()
    while not end.wait(TELL_EVERY):
        tally = sum((robot.tally for robot in robots), Tally())
        if tally != told:
            logger.info("%s", tally)
        told = tally
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
