"""Shows how far a Round is: a bar on a terminal, a plain line for each stage otherwise."""

from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

from labelhub.rounds.models import Round


class RoundDisplay:
    """Call with the Round's row as often as you look at it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar = (
            tqdm(total=100, file=stream, leave=False, bar_format="{desc} {percentage:3.0f}%|{bar}|")
            if stream.isatty()
            else None
        )
        self._told = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, row: Round) -> None:
        stage = str(row.progress.get("stage") or row.get_state_display())
        if self._bar is not None:
            self._bar.set_description_str(f"Round {row.number}: {stage}", refresh=False)
            self._bar.n = round(100 * row.progress.get("fraction", 0.0))
            self._bar.refresh()
        elif stage != self._told:
            self._told = stage
            self._stream.write(f"Round {row.number}: {stage}\n")
            self._stream.flush()
