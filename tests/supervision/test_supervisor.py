"""Rules of starting, watching and stopping, on processes so small that each test is quick."""

import os
import signal
from pathlib import Path

import pytest

from labelhub.supervision.specs import ProcessSpec
from labelhub.supervision.supervisor import Supervisor
from tests.supervision.conftest import Start, wait_until

SMALL = ("-m", "tests.supervision.small_site")


def test_each_line_says_which_process_speaks(start: Start) -> None:
    run = start(*SMALL, "plain")
    run.wait_for("bob        | hello")
    run.wait_for("ada        | hello")
    assert not run.said("supervisor | hello")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_leaves_no_process_and_is_no_failure(start: Start, how: signal.Signals) -> None:
    run = start(*SMALL, "plain")
    run.wait_for("bob        | hello")
    assert run.end(how) == 0
    assert run.pids() == []


def test_a_process_that_ignores_the_stop_is_killed_after_its_time(start: Start) -> None:
    run = start(*SMALL, "deaf")
    run.wait_for("hello")
    assert run.end(signal.SIGINT) == 0
    assert run.said("ada did not end in time: killed")
    assert run.pids() == []


def test_a_killed_supervisor_takes_its_children_along(start: Start) -> None:
    run = start(*SMALL, "plain")
    run.wait_for("bob        | hello")
    run.end(signal.SIGKILL)
    wait_until(lambda: not run.pids(), what="no process left")


def test_the_next_start_ends_what_a_killed_supervisor_left(start: Start) -> None:
    run = start(*SMALL, "family")
    run.wait_for("hello")
    run.end(signal.SIGKILL)  # its child dies with it; the child's own child does not
    wait_until(lambda: len(run.pids()) == 1, what="one orphan")
    following = start(*SMALL, "plain")
    following.wait_for("ending 1 processes left by an earlier run")
    following.wait_for("hello")
    assert run.pids() == []


def test_a_killed_process_is_started_again_and_its_children_are_gone(start: Start) -> None:
    run = start(*SMALL, "family")
    run.wait_for("hello")
    before = run.pids()
    os.kill(run.child("-c"), signal.SIGKILL)
    run.wait_for("ada ended by signal SIGKILL; it starts again in 0.5 s")
    wait_until(lambda: len(run.pids()) == len(before) == 3, what="parent and child again")
    assert set(run.pids()) & set(before) == {run.process.pid}


@pytest.mark.parametrize(
    ("case", "word"),
    [("failing", "carla      | no such thing"), ("absent", "cannot start no-such-program")],
)
def test_a_site_that_never_gets_ready_gives_up_and_says_why(
    start: Start, case: str, word: str
) -> None:
    run = start(*SMALL, case)
    assert run.process.wait(timeout=30) == 1
    assert run.said(word)
    assert run.said("it starts again in 2 s")  # the pauses grow
    assert run.said("does not start: giving up")


def test_a_process_whose_heartbeat_stops_is_restarted(start: Start, tmp_path: Path) -> None:
    run = start(*SMALL, "silent")
    wait_until((tmp_path / "data/run/beat.alive").exists, what="the first heartbeat")
    before = run.child("-c")
    (tmp_path / "data/run/hush").touch()
    run.wait_for("ada takes no work any more: restarting it")
    wait_until(lambda: run.child("-c") not in {0, before}, what="a new process")


def test_a_silent_process_is_excused_while_the_broker_is_away(start: Start, tmp_path: Path) -> None:
    run = start(*SMALL, "excused")
    wait_until((tmp_path / "data/run/beat.alive").exists, what="the first heartbeat")
    before = run.child("-c")
    (tmp_path / "data/run/hush").touch()
    looks = run.count("the broker is away")
    wait_until(lambda: run.count("the broker is away") >= looks + 3, what="three more looks")
    assert run.child("-c") == before


def test_the_end_of_an_errand_ends_the_run_with_its_code(start: Start) -> None:
    run = start(*SMALL, "errand")
    assert run.process.wait(timeout=30) == 3
    assert run.pids() == []


def test_two_supervisors_over_one_folder_are_refused_by_name(start: Start) -> None:
    first = start(*SMALL, "plain")
    first.wait_for("hello")
    second = start(*SMALL, "plain")
    assert second.process.wait(timeout=30) != 0
    assert second.said(f"process {first.process.pid} already supervises {first.data_dir}")
    assert first.process.poll() is None


def test_a_process_may_only_need_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nobody is called bob"):
        Supervisor([ProcessSpec(name="ada", command=("true",), needs=("bob",))], data_dir=tmp_path)
