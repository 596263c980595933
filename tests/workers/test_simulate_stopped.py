"""A play that somebody stops: its process ends with it, and its folder is gone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from celery import Celery

from workers.simulate.apart import STOPPING, _world

ROOT = Path(__file__).resolve().parents[2]
# A play in small: its process tells its number, keeps a file where it may, and goes on for ever.
PLAY = """
import os, signal, tempfile
tempfile.mkstemp()
print(os.getpid(), os.environ["DATA_DIR"] == tempfile.gettempdir(), flush=True)
signal.pause()
"""
PARENT = f"""
import sys
from workers.simulate.apart import Stopped, run_apart
try:
    sys.exit(run_apart([sys.executable, "-c", {PLAY!r}]))
except Stopped as stop:
    print(stop, flush=True)
    sys.exit(stop.exit_code)
"""


@pytest.fixture(autouse=True)
def _as_at_a_terminal():
    """What we start hears every signal, also where we ourselves were told to ignore some, as
    ``nohup`` and a shell's ``&`` do: what is ignored is inherited, what has a handler is not."""
    before = {number: signal.signal(number, lambda *_: None) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def started(folder: Path, *command: str) -> subprocess.Popen[str]:
    """The command, whose temporary files lie in ``folder``."""
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "labelhub.settings",
            "TMPDIR": str(folder),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_who_stops_a_play_leaves_no_process_and_no_folder(tmp_path, number, code) -> None:
    with started(tmp_path / "tmp", "-c", PARENT) as parent:
        pid, in_its_folder = parent.stdout.readline().split()
        assert in_its_folder == "True"
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        parent.send_signal(number)
        said, trace = parent.communicate()
    assert parent.returncode == code
    assert (said, trace) == (f"stopped by {number.name}\n", "")
    assert not list((tmp_path / "tmp").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of that")
def test_a_play_does_not_outlive_who_started_it(tmp_path) -> None:
    with started(tmp_path / "tmp", "-c", PARENT) as parent:
        parent.stdout.readline()
        parent.kill()
        assert parent.stdout.read() == "", "the play holds it open as long as it lives"


def test_the_exit_code_of_a_play_is_told_and_signals_are_ours_again(tmp_path) -> None:
    again = """
import signal, sys
from workers.simulate.apart import run_apart
before = signal.getsignal(signal.SIGINT)
assert run_apart([sys.executable, "-c", "raise SystemExit(7)"]) == 7
assert signal.getsignal(signal.SIGINT) is before
"""
    with started(tmp_path / "tmp", "-c", again) as parent:
        assert parent.wait() == 0, parent.stderr.read()


def test_the_broker_of_a_play_takes_messages_without_a_word(caplog) -> None:
    broker = _world(Path("folder"))["REDIS_URL"]
    Celery("play", broker=broker, set_as_current=False).send_task("of a Round")
    assert not caplog.records


def test_ctrl_c_ends_the_command_with_one_line(tmp_path) -> None:
    pictures, people = tmp_path / "three.npz", tmp_path / "people.json"
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.savez(pictures, images=images, labels=np.arange(30) % 3, classes=np.array(["a", "b", "c"]))
    people.write_text('[{"count": 2}]')
    options = ("--images", str(pictures), "--annotators", str(people), "--seeds-per-class", "0")
    with started(tmp_path / "tmp", "manage.py", "simulate", *options, "--recipe=seed") as play:
        assert "thousandths of the budget" in play.stderr.readline()
        play.send_signal(signal.SIGINT)
        _, trace = play.communicate()
    assert play.returncode == 130
    assert trace.splitlines()[-1] == "stopped by SIGINT; nothing of the play is kept"
    assert "Traceback" not in trace
    assert not list((tmp_path / "tmp").iterdir())
