"""What docs/operators.md tells an operator to type fits the files that it is typed beside."""

import re
import shlex
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.production.files import ROOT, compose, services
from tests.production.test_start import GIVEN, start

PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder that the page's own commands make."""
    (block,) = re.findall(r"^```sh\n(mkdir[^`]*secrets\n.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        ["sh", "-euc", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "secrets"


def line_of(file: Path) -> str:
    return file.read_text(encoding="ascii").removesuffix("\n")


def test_the_commands_make_the_secrets_that_compose_asks_for(secrets: Path) -> None:
    assert {file.name for file in secrets.iterdir()} == compose()["secrets"].keys()
    for file in secrets.iterdir():
        assert re.fullmatch(r"\S+( \S+)?\n", file.read_text(encoding="ascii")), file.name


def test_every_container_can_read_its_secrets_and_nobody_else_on_the_machine_can(
    secrets: Path,
) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for file in secrets.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o444, file.name


def test_the_secrets_open_what_they_are_for(secrets: Path) -> None:
    database = urlsplit(line_of(secrets / "database_url"))
    broker = urlsplit(line_of(secrets / "redis_url"))
    given = services()["postgres"]["environment"]
    assert database.password == line_of(secrets / "postgres_password")
    assert (database.username, database.path) == (
        given["POSTGRES_USER"],
        f"/{given['POSTGRES_DB']}",
    )
    assert f"requirepass {broker.password}" == line_of(secrets / "redis.conf")
    assert {database.hostname, broker.hostname} <= services().keys()
    words = (database.password, broker.password, line_of(secrets / "secret_key"))
    assert len(set(words)) == 3
    assert all(len(word or "") >= 32 for word in words)


def test_production_starts_with_the_secrets_that_were_made(secrets: Path) -> None:
    given = {key: value for key, value in GIVEN.items() if key != "LABELHUB_SECRET_KEY"}
    files = {"LABELHUB_SECRET_KEY_FILE": str(secrets / "secret_key")}
    done = start({**given, **files}, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def test_every_compose_command_names_services_that_exist() -> None:
    lines = [
        line.partition(" #")[0]
        for page in PAGES
        for line in page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        if line.lstrip().startswith("docker compose ")
    ]
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(re.sub(r"\d?[<>].*", "", line))[2:]
        assert named_services(words) <= services().keys(), line


def named_services(words: list[str]) -> set[str]:
    """The services that a compose command works on; ``exec`` and ``run`` take one and its words,
    ``cp`` one and a path in it."""
    command, *rest = words
    if command == "cp":
        return {word.partition(":")[0] for word in rest if ":" in word}
    with_value = {"--volume", "--since", "--scale"}
    plain = [
        word.partition("=")[0]
        for before, word in zip([command, *rest], rest, strict=False)
        if not word.startswith("-") and (before not in with_value or before == "--scale")
    ]
    return set(plain[:1] if command in {"exec", "run"} else plain)


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            path, _, anchor = target.partition("#")
            file = (page.parent / path) if path else page
            assert file.exists(), f"{page.name}: {target}"
            if anchor:
                assert anchor in anchors_of(file), f"{page.name}: {target}"


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are usually made."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
