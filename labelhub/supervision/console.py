"""The one stream that everybody's words go to, each line under the name of its speaker."""

import sys
from typing import TextIO

_COLOURS = (36, 33, 35, 32, 34, 31, 96, 93, 95, 92)
_OWN_NAME = "supervisor"


class Console:
    """Writes whole lines with the name of the process in front, coloured on a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._coloured = self._stream.isatty()
        self._colour_of: dict[str, int] = {_OWN_NAME: 1}
        self._width = len(_OWN_NAME)

    def introduce(self, name: str) -> None:
        """Give the name a colour, and the column of names room for it."""
        self._colour_of.setdefault(name, _COLOURS[len(self._colour_of) % len(_COLOURS)])
        self._width = max(self._width, len(name))

    def say(self, text: str, *, name: str = _OWN_NAME) -> None:
        """Write text, a line at a time, as spoken by name."""
        label = f"{name:<{self._width}} |"
        if self._coloured:
            label = f"\x1b[{self._colour_of.get(name, 0)}m{label}\x1b[0m"
        for line in text.splitlines():
            self._stream.write(f"{label} {line}\n")
        self._stream.flush()
