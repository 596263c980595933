"""What the supervisor is told about one process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A file that the process touches while it does its work.

    Only change counts, measured on the supervisor's own clock: a wall clock that jumps restarts
    nobody. While ``judged_while()`` is false (the broker is away, say) nobody is judged.
    """

    path: Path
    stale_seconds: float = 20.0
    first_seconds: float = 90.0  # from the start of the process to its first touch
    judged_while: Callable[[], bool] = lambda: True


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One process: how it is started, when it is ready, and what its end means.

    ``needs`` names the processes that must be ready before this one starts; they outlive it when
    all stop. ``ready`` is asked until it says yes; None means ready as soon as it runs. It may
    block for a second at most. ``restart=False`` leaves an ended process alone; ``ends_run`` makes
    its end, with its exit code, the end of the whole run.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)  # on top of the supervisor's own
    cwd: Path | None = None
    nice: int = 0
    needs: tuple[str, ...] = ()
    ready: Callable[[], bool] | None = None
    heartbeat: Heartbeat | None = None
    restart: bool = True
    ends_run: bool = False
    stop_seconds: float = 5.0  # from SIGTERM to SIGKILL
