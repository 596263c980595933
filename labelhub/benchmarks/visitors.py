"""Visitors who answer as fast as they are served: the load of a serving benchmark.

Each is a browser with the page's script: it starts at the project's page, fetches a grid as a
fragment and its sheet as a picture, and posts an answer; after some grids the next visitor comes.
"""

import http.client
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from itertools import count
from random import Random
from urllib.parse import urlencode

GRIDS_A_VISITOR = 25
TIMEOUT_SECONDS = 30.0
_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
_GRID = re.compile(rb'data-grid="([^"]+)" data-sheet="([^"]+)"')
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "X-Requested-With": "fetch"}


@dataclass
class Times:
    """Seconds of each cycle by its requests, the bytes of the sheets, and what went wrong."""

    cycles: list[float] = field(default_factory=list)
    sheets: list[float] = field(default_factory=list)
    sheet_bytes: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Load:
    """``cycles`` cycles in all by ``concurrency`` clients of a server on this machine."""

    port: int
    cycles: int
    concurrency: int

    def run(self, client: "Cycle") -> tuple[Times, float]:
        """Call ``client`` for each cycle, each thread on a connection of its own.

        Gives all times and the seconds that the whole load took.
        """
        turns = count()
        parts = [Times() for _ in range(self.concurrency)]

        def work(times: Times, seed: int) -> None:
            connection, dice = Connection(self.port), Random(seed)  # noqa: S311  a load
            while next(turns) < self.cycles:
                try:
                    client(connection, dice, times)
                except (OSError, http.client.HTTPException, LookupError) as error:
                    times.errors.append(repr(error))
                    connection = Connection(self.port)
            connection.close()

        threads = [
            threading.Thread(target=work, args=(times, seed)) for seed, times in enumerate(parts)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - started
        names = ("cycles", "sheets", "sheet_bytes", "errors")
        total = Times(
            **{name: [x for part in parts for x in getattr(part, name)] for name in names}
        )
        return total, took


class Connection:
    """One keep-alive connection with a cookie jar."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.grids = 0

    def get(self, path: str) -> bytes:
        return self._request("GET", path, None, {})

    def post(self, path: str, fields: list[tuple[str, str]]) -> bytes:
        body = urlencode([("csrfmiddlewaretoken", self.token), *fields])
        return self._request("POST", path, body, _FORM)

    def close(self) -> None:
        self._http.close()

    def _request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> bytes:
        sent = {**headers, "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        self._http.request(method, path, body, sent)
        response = self._http.getresponse()
        data = response.read()
        for header in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise LookupError(f"{method} {path}: {response.status} {data[:80]!r}")
        return data


Cycle = Callable[[Connection, Random, Times], None]


def labelling(slug: str, *, with_tiles: bool = True) -> Cycle:
    """One cycle: issue a grid, fetch its tiles, answer it."""

    def cycle(connection: Connection, dice: Random, times: Times) -> None:
        if connection.grids % GRIDS_A_VISITOR == 0:
            connection.cookies.clear()
            page = connection.get(f"/p/{slug}/")
            connection.token = _found(_TOKEN, page)[0].decode()
        connection.grids += 1
        started = time.perf_counter()
        fragment = connection.post(f"/p/{slug}/grid/", [])
        public_id, sheet = (part.decode() for part in _found(_GRID, fragment))
        issued = time.perf_counter()
        if with_tiles:
            times.sheet_bytes.append(len(connection.get(sheet)))
            times.sheets.append(time.perf_counter() - issued)
        selected = [("selected", str(place)) for place in range(9) if dice.random() < 0.4]
        connection.post(f"/p/{slug}/grid/{public_id}/answer", selected)
        times.cycles.append(time.perf_counter() - started)

    return cycle


def bare(size: int, rows: int) -> Cycle:
    """One cycle of the floor: read a row, fetch ``size`` bytes, insert nine rows."""

    def cycle(connection: Connection, dice: Random, times: Times) -> None:
        started = time.perf_counter()
        connection.get(f"/floor/read/{dice.randint(1, rows)}/")
        connection.get(f"/floor/bytes/{dice.randint(1, rows)}/?size={size}")
        connection.post("/floor/insert/", [])
        times.cycles.append(time.perf_counter() - started)

    return cycle


def _found(pattern: re.Pattern[bytes], page: bytes) -> tuple[bytes, ...]:
    match = pattern.search(page)
    if match is None:
        raise LookupError(f"a page without {pattern.pattern!r}: {page[:120]!r}")
    return match.groups()
