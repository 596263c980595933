"""A program: a supervisor over a few tiny processes. ``small_site.py CASE``, DATA_DIR in the
environment. Django is not needed, so it starts in a moment."""

import os
import sys
from pathlib import Path

from labelhub.supervision.specs import Heartbeat, ProcessSpec
from labelhub.supervision.supervisor import Supervisor

DATA_DIR = Path(os.environ["DATA_DIR"])

TALK = "import time; print('hello', flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + TALK
# Starts a process of its own, as gunicorn does, and waits for it.
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TALK!r}])"
FAIL = "import sys; sys.exit('no such thing')"
# Touches its heartbeat until it is told, by a file, to fall silent.
BEAT = """
import os, pathlib, time
run = pathlib.Path(os.environ["DATA_DIR"]) / "run"
print("taking work", flush=True)
while True:
    if not (run / "hush").exists():
        (run / "beat.alive").touch()
    time.sleep(0.1)
"""


def python(name: str, program: str, **options: object) -> ProcessSpec:
    return ProcessSpec(name=name, command=(sys.executable, "-c", program), **options)


def broker_away() -> bool:
    print("the broker is away", flush=True)
    return False


def cases() -> dict[str, list[ProcessSpec]]:
    heartbeat = Heartbeat(path=DATA_DIR / "run" / "beat.alive", stale_seconds=1.0)
    away = Heartbeat(path=heartbeat.path, stale_seconds=0.2, judged_while=broker_away)
    return {
        "plain": [python("ada", TALK), python("bob", TALK, needs=("ada",))],
        "deaf": [python("ada", DEAF, stop_seconds=0.5)],
        "family": [python("ada", PARENT)],
        "failing": [python("carla", FAIL, ready=lambda: False)],
        "silent": [python("ada", BEAT, heartbeat=heartbeat)],
        "excused": [python("ada", BEAT, heartbeat=away)],
        "errand": [python("ada", TALK), python("oskar", "raise SystemExit(3)", ends_run=True)],
        "absent": [ProcessSpec(name="ada", command=("no-such-program",), ready=lambda: False)],
    }


if __name__ == "__main__":
    supervisor = Supervisor(
        cases()[sys.argv[1]], data_dir=DATA_DIR, on_ready=lambda: print("all ready", flush=True)
    )
    sys.exit(supervisor.run())
