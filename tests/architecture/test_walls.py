"""The two big walls, kept in fresh interpreters: what a process has not imported it cannot use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labelhub.rounds import dispatch

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "scipy", "pyarrow", "onnx")


def in_a_fresh_interpreter(program: str, **environment: str) -> str:
    """What a program prints that starts from nothing."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def registered_by(module: str) -> list[str]:
    out = in_a_fresh_interpreter(
        "import django, json; django.setup()\n"
        f"import {module}\n"
        "from labelhub.celery import app\n"
        "print(json.dumps([name for name in app.tasks if name.startswith('workers.')]))"
    )
    return list(json.loads(out.splitlines()[-1]))


def test_the_web_process_has_no_torch_after_every_route_and_a_grid(tmp_path: Path) -> None:
    program = (Path(__file__).parent / "serve_one_grid.py").read_text()
    out = in_a_fresh_interpreter(program, DATA_DIR=str(tmp_path), DATABASE_URL="sqlite://:memory:")
    report = json.loads(out.splitlines()[-1])
    assert report["status"] == 200
    assert report["routes"] > 10
    assert [name for name in HEAVY if name in report["modules"]] == []


def test_the_classifier_has_no_django_celery_or_redis() -> None:
    out = in_a_fresh_interpreter(
        "import sys, classifier.train, classifier.predict, classifier.checkpoint\n"
        "import classifier.replay, classifier.evaluation, classifier.dataset\n"
        "print([n for n in ('django', 'celery', 'kombu', 'redis') if n in sys.modules])"
    )
    assert out.strip() == "[]"


def test_nobody_but_the_export_loads_onnx() -> None:
    out = in_a_fresh_interpreter(
        "import django, sys; django.setup()\n"
        "import workers.torch_tasks, classifier.__main__\n"
        "print([n for n in ('onnx', 'onnxscript', 'onnx_ir') if n in sys.modules])"
    )
    assert out.splitlines()[-1] == "[]"


def test_the_default_worker_has_no_torch() -> None:
    out = in_a_fresh_interpreter(
        "import django, sys; django.setup()\n"
        "import workers.tasks\n"
        f"print([n for n in {HEAVY!r} if n in sys.modules])"
    )
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("module", "queues"),
    [
        ("workers.tasks", {dispatch.DEFAULT_QUEUE}),
        ("workers.torch_tasks", {dispatch.TRAINING_QUEUE, dispatch.RANKING_QUEUE}),
        ("workers.inference_tasks", {dispatch.INFERENCE_QUEUE}),
    ],
)
def test_every_dispatched_name_is_registered_by_the_worker_of_its_queue(
    module: str, queues: set[str]
) -> None:
    dispatched = {name for name, route in dispatch.QUEUE_OF.items() if route["queue"] in queues}
    assert set(registered_by(module)) == dispatched


def test_every_migration_has_a_name_that_says_what_it_does() -> None:
    names = [path.stem for path in ROOT.glob("labelhub/*/migrations/0*.py")]
    assert names
    assert [name for name in names if "_auto_" in name] == []


def test_how_long_torchs_threads_spin_is_said_before_torch_is_loaded() -> None:
    out = in_a_fresh_interpreter(
        "import os, sys; os.environ.pop('GOMP_SPINCOUNT', None)\n"
        "import workers\n"
        "print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    )
    assert out.split() == ["False", "100000"]
