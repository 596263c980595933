"""The real thing: broker, web, workers and beat under ``manage.py supervise``."""

import http.client
import signal
import socket
from pathlib import Path

import pytest
from celery import Celery

from labelhub.rounds import dispatch
from labelhub.supervision.places import broker_url, heartbeat_file
from tests.supervision.conftest import BASE_DIR, Run, Start, wait_until

SUPERVISE = (str(BASE_DIR / "manage.py"), "supervise", "--port")
# Words of the command lines by which the processes are told apart.
WEB, BEAT, DEFAULT = ("gunicorn",), ("beat",), ("default@%h",)
WORKERS = ("default", "training", "ranking", "inference")


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/admin/login/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def send_tick(run: Run) -> str:
    """Sends the default worker a task, as beat does; returns its id."""
    with Celery("tests", broker=broker_url(run.data_dir)) as app:
        return app.send_task(dispatch.TICK, queue=dispatch.DEFAULT_QUEUE, ignore_result=True).id


def broker_word(run: Run) -> str:
    return str(run.data_dir / "run" / "broker")


@pytest.mark.timeout(240)
def test_the_site_runs_in_a_long_folder_and_mends_itself(
    start: Start, port: int, tmp_path: Path
) -> None:
    long_folder = tmp_path / ("deep-" * 10) / ("deeper-" * 10)
    run = start(*SUPERVISE, str(port), data_dir=long_folder, LABELHUB_LOG_LEVEL="DEBUG")
    run.wait_for(f"ready: http://127.0.0.1:{port}/", seconds=60)
    assert answers(port)
    for worker in WORKERS:
        wait_until(heartbeat_file(long_folder, worker).exists, seconds=60, what=f"{worker} beats")

    refused = start(*SUPERVISE, str(port), data_dir=long_folder)
    assert refused.process.wait(timeout=30) == 1
    assert refused.said(f"CommandError: process {run.process.pid} already supervises {long_folder}")

    run.kill_and_wait_for_the_next(*BEAT)
    run.kill_and_wait_for_the_next(*DEFAULT)
    run.kill_and_wait_for_the_next(*WEB)
    wait_until(lambda: answers(port), what="a page after the web process was killed")
    run.kill_and_wait_for_the_next(broker_word(run))
    run.wait_for("supervisor | broker is back")
    task = send_tick(run)
    run.wait_for(f"Task {dispatch.TICK}[{task}] succeeded")

    assert run.end(signal.SIGINT) == 0
    assert run.pids() == []
    assert not answers(port)


@pytest.mark.timeout(240)
def test_a_killed_supervisor_leaves_nothing_of_the_site_whatever_its_folder_is_called(
    start: Start, port: int, tmp_path: Path
) -> None:
    """A folder's name goes into the addresses of database and broker."""
    folder = tmp_path / "Ada's pictures" / "#1? 50%20"
    run = start(*SUPERVISE, str(port), data_dir=folder)
    run.wait_for("ready: http", seconds=60)
    wait_until(heartbeat_file(folder, "default").exists, seconds=60, what="default beats")
    assert (folder / "db.sqlite3").is_file()
    wait_until(lambda: len(run.pids("gunicorn")) == len(("master", "worker", "worker")), what="web")
    wait_until(lambda: run.child(*DEFAULT), what="the default worker")
    run.end(signal.SIGKILL)
    wait_until(lambda: not run.pids(), what="no process left, gunicorn's own among them")


def test_a_taken_port_stops_the_start_and_names_it(start: Start, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        run = start(*SUPERVISE, str(port))
        assert run.process.wait(timeout=30) == 1
    assert run.said(f"cannot listen on 127.0.0.1 port {port} (Address already in use)")
    assert run.pids() == []


def test_no_secret_key_no_start(start: Start, port: int) -> None:
    run = start(*SUPERVISE, str(port), LABELHUB_MODE="production", LABELHUB_SECRET_KEY="")
    assert run.process.wait(timeout=30) != 0
    assert run.said("LABELHUB_SECRET_KEY is not set")
    assert not run.said("Traceback")
    assert run.pids() == []
