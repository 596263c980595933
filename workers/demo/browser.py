"""As much of a browser as a visitor without JavaScript needs: cookies, redirects, forms."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Self
from urllib.parse import urlencode, urljoin, urlsplit

REDIRECTS = {301, 302, 303, 307, 308}
MOST_REDIRECTS = 5
PICKED = "selected"  # the name of the boxes that say yes to a square


class Unavailable(RuntimeError):
    """The server asks to come again later; ``seconds`` is when."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"unavailable for {seconds:g} s")
        self.seconds = seconds


@dataclass
class Form:
    """A form as the page has it: where it goes, its hidden fields, the values of its boxes."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    boxes: list[tuple[str, str]] = field(default_factory=list)  # to be picked, none to report
    other_actions: list[str] = field(default_factory=list)  # of buttons that lead elsewhere


@dataclass
class Page:
    """What a reply shows to somebody who looks at it."""

    url: str
    status: int
    forms: list[Form] = field(default_factory=list)
    emphasised: str = ""  # in the heading
    pictures: list[str] = field(default_factory=list)

    @property
    def grid(self) -> Form | None:
        """The form with squares to pick."""
        return next((form for form in self.forms if form.boxes), None)


class _Reader(HTMLParser):
    """Fills a Page."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._open: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._open.add(tag)
        if tag == "form" and given.get("method", "").lower() == "post":
            self.page.forms.append(Form(urljoin(self.page.url, given.get("action", ""))))
        elif tag == "input" and "form" in self._open and self.page.forms:
            form, named = self.page.forms[-1], given.get("name", "")
            if given.get("type") == "hidden":
                form.hidden[named] = given.get("value", "")
            elif given.get("type") == "checkbox" and named == PICKED:
                form.boxes.append((named, given.get("value", "on")))
        elif tag == "button" and "formaction" in given and self.page.forms:
            self.page.forms[-1].other_actions.append(urljoin(self.page.url, given["formaction"]))
        elif tag == "img":
            self.page.pictures.append(urljoin(self.page.url, given.get("src", "")))

    def handle_endtag(self, tag: str) -> None:
        self._open.discard(tag)

    def handle_data(self, data: str) -> None:
        if {"h1", "b"} <= self._open:
            self.page.emphasised += data.strip()


class Browser:
    """One visitor's browser: a connection that is kept and cookies of its own."""

    def __init__(self, address: str, *, timeout: float = 10.0) -> None:
        """``address``: http://host:port of the site; other sites are never visited."""
        self._address = address
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=timeout)
        self._cookies: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def open(self, path: str) -> Page:
        """GET a page. Raises Unavailable, OSError, http.client.HTTPException."""
        return self._page("GET", urljoin(self._address, path))

    def send(self, form: Form, picked: Sequence[str] = (), *, to: str | None = None) -> Page:
        """POST a form with the boxes of these values picked. Raises as ``open`` does."""
        pairs = [*form.hidden.items(), *((n, v) for n, v in form.boxes if v in set(picked))]
        return self._page("POST", to or form.action, urlencode(pairs))

    def picture(self, url: str) -> bytes:
        """GET the bytes of a picture. Raises as ``open`` does, or HTTPException if it is none."""
        reply, data = self._request("GET", url)
        if reply.status != http.client.OK:
            raise http.client.HTTPException(f"{url}: {reply.status} instead of a picture")
        return data

    def _page(self, method: str, url: str, body: str | None = None) -> Page:
        for _ in range(MOST_REDIRECTS):
            reply, data = self._request(method, url, body)
            if reply.status not in REDIRECTS:
                page = Page(url, reply.status)
                _Reader(page).feed(data.decode("utf-8", "replace"))
                return page
            url = urljoin(url, reply.headers["Location"])
            method, body = "GET", None
        raise http.client.HTTPException(f"{url}: more than {MOST_REDIRECTS} redirects")

    def _request(
        self, method: str, url: str, body: str | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            self._connection.request(method, path, body, headers)
            reply = self._connection.getresponse()
            data = reply.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request connects anew
            raise
        for line in reply.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value
        if reply.status in {502, 503, 504}:
            raise Unavailable(float(reply.headers.get("Retry-After", 1)))
        return reply, data
