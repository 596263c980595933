"""Visitors who answer as fast as they are served: the load of a serving benchmark.

Each is a browser with the page's script: it starts at the project's page, fetches a grid as a
fragment and its sheet as a picture, and posts an answer, whose reply brings the next grid along;
after some grids the next visitor comes.
"""

import http.client
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from http.cookies import SimpleCookie
from itertools import count
from random import Random
from urllib.parse import urlencode

GRIDS_A_VISITOR = 25
TIMEOUT_SECONDS = 30.0
_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
_GRID = re.compile(rb'data-sheet="([^"]+)" data-page="([^"]+)"')
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "X-Requested-With": "fetch"}


@dataclass
class Times:
    """Seconds of each cycle by its requests, the bytes of the sheets, and what went wrong."""

    cycles: list[float] = field(default_factory=list)
    sheets: list[float] = field(default_factory=list)
    sheet_bytes: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, other: "Times") -> None:
        """Take in another load's."""
        for mine in fields(self):
            getattr(self, mine.name).extend(getattr(other, mine.name))


class Load:
    """Clients of a server on this machine, each visitor on one connection."""

    def __init__(self, port: int, concurrency: int) -> None:
        self._clients = [Connection(port, seed) for seed in range(concurrency)]

    def run(self, cycle: "Cycle", cycles: int) -> tuple[Times, float]:
        """Run so many cycles in all; gives all times and the seconds that the whole took."""
        turns = count()
        parts = [Times() for _ in self._clients]

        def work(client: Connection, times: Times) -> None:
            while next(turns) < cycles:
                try:
                    cycle(client, times)
                except (OSError, http.client.HTTPException, LookupError) as error:
                    times.errors.append(repr(error))
                    client.start_anew()

        threads = [
            threading.Thread(target=work, args=both)
            for both in zip(self._clients, parts, strict=True)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - started
        total = Times()
        for part in parts:
            total.add(part)
        return total, took


class Connection:
    """One keep-alive connection with a cookie jar."""

    def __init__(self, port: int, seed: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self.dice = Random(seed)  # noqa: S311  a load
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.grids = 0
        self.grid = ""  # the address of the grid to be answered
        self.sheet = ""
        self.tiles = 0

    def get(self, path: str) -> bytes:
        return self._request("GET", path, None, {})

    def post(self, path: str, fields: list[tuple[str, str]]) -> bytes:
        body = urlencode([("csrfmiddlewaretoken", self.token), *fields])
        return self._request("POST", path, body, _FORM)

    def show(self, fragment: bytes) -> None:
        """Put a grid on the screen."""
        self.sheet, self.grid = (part.decode() for part in _found(_GRID, fragment))
        self.tiles = fragment.count(b'name="selected"')

    def leave(self) -> None:
        """Put the grid on the screen away, so that its images are free for others."""
        if self.grid:
            self.post(f"{self.grid}skip", [])
            self.grid = ""

    def come_anew(self) -> None:
        """Be the next browser: one without a cookie, on a connection of its own."""
        self._http.close()
        self.cookies.clear()

    def start_anew(self) -> None:
        """After an error: a connection and a visitor that know nothing of it."""
        self.come_anew()
        self.grids, self.grid = 0, ""

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


Cycle = Callable[[Connection, Times], None]


def labelling(slug: str, *, with_tiles: bool = True) -> Cycle:
    """One cycle: fetch a grid's tiles, answer it, and be issued the next with the reply."""

    def cycle(connection: Connection, times: Times) -> None:
        if connection.grids % GRIDS_A_VISITOR == 0:
            connection.leave()
            connection.come_anew()
            page = connection.get(f"/p/{slug}/")
            connection.token = _found(_TOKEN, page)[0].decode()
            connection.show(connection.post(f"/p/{slug}/grid/", []))
        connection.grids += 1
        started = time.perf_counter()
        if with_tiles:
            times.sheet_bytes.append(len(connection.get(connection.sheet)))
            times.sheets.append(time.perf_counter() - started)
        places = range(connection.tiles)
        selected = [("selected", str(place)) for place in places if connection.dice.random() < 0.4]
        reply = connection.post(f"{connection.grid}answer", [*selected, ("keep", "")])
        following = json.loads(reply)["next"].encode()
        if _GRID.search(following):
            connection.show(following)
        else:  # a visitor to whom a small corpus has nothing left to show: the next one comes
            connection.grids, connection.grid = 0, ""
        times.cycles.append(time.perf_counter() - started)

    return cycle


def bare(size: int, rows: int, *, in_two: bool = False) -> Cycle:
    """One cycle of the floor: read a row, fetch ``size`` bytes, insert nine rows."""

    def cycle(connection: Connection, times: Times) -> None:
        if connection.grids % GRIDS_A_VISITOR == 0:
            connection.come_anew()
        connection.grids += 1
        started = time.perf_counter()
        row = connection.dice.randint(1, rows)
        if not in_two:
            connection.get(f"/floor/read/{row}/")
        connection.get(f"/floor/bytes/?size={size}")
        connection.post(f"/floor/insert/?read={row}" if in_two else "/floor/insert/", [])
        times.cycles.append(time.perf_counter() - started)

    return cycle


def _found(pattern: re.Pattern[bytes], page: bytes) -> tuple[bytes, ...]:
    match = pattern.search(page)
    if match is None:
        raise LookupError(f"a page without {pattern.pattern!r}: {page[:120]!r}")
    return match.groups()
