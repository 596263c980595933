"""The Dockerfile: nobody is root, nothing is secret, everything it names is there."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.production.files import ROOT, dockerfile, image_environment

(TORCH,) = re.findall("^torch==.*$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
SECRET = re.compile("SECRET|KEY|PASSWORD|TOKEN|DATABASE_URL|REDIS_URL")


def instructions(word: str) -> list[str]:
    return [rest for name, rest in dockerfile() if name == word]


def copied() -> list[str]:
    """Every source of every COPY."""
    return [source for rest in instructions("COPY") for source in rest.split()[:-1]]


def test_the_base_is_pinned_to_a_full_version() -> None:
    (base,) = instructions("FROM")
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", base)


def test_the_last_user_is_a_number_that_is_not_root() -> None:
    user = instructions("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert dockerfile()[-1] == ("USER", user), "nothing runs as root after it"


def test_no_secret_stays_in_the_image() -> None:
    for word in ("ENV", "ARG", "LABEL"):
        for rest in instructions(word):
            assert not SECRET.search(rest), f"{word} {rest}"
    assert image_environment()["LABELHUB_MODE"] == "production"


def test_everything_that_is_copied_is_in_the_repository() -> None:
    assert copied()
    for source in copied():
        assert (ROOT / source).exists(), source


def test_every_package_of_the_product_is_copied() -> None:
    packages = {init.parent.name for init in ROOT.glob("[a-z]*/__init__.py")}
    assert packages - {"tests"} <= set(copied())


def test_the_build_sees_what_is_copied_and_nothing_else() -> None:
    """An allow-list: a .env, a secrets folder or the pictures can never slip into a layer."""
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied())


def test_the_locked_versions_are_installed() -> None:
    (install,) = (rest for rest in instructions("RUN") if "pip install" in rest)
    assert install.endswith("&& pip install -r requirements.lock")


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("", ["install -r requirements.lock"]),
        (
            "https://torch.example/cpu",
            [
                f"install --no-deps --index-url https://torch.example/cpu {TORCH}",
                "install -r requirements.lock",
            ],
        ),
    ],
)
def test_the_build_of_torch_is_chosen_from_outside(
    index: str, expected: list[str], tmp_path: Path
) -> None:
    """The step itself runs, with a program in pip's place that notes what it is asked for."""
    pip = tmp_path / "pip"
    pip.write_text('#!/bin/sh\necho "$*"\n')
    pip.chmod(0o755)
    assert 'TORCH_INDEX=""' in instructions("ARG")
    (install,) = (rest for rest in instructions("RUN") if "pip install" in rest)
    done = subprocess.run(
        ["sh", "-c", install],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "TORCH_INDEX": index},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == expected, done.stderr
