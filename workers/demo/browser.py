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
PICKED = "selected"  # the name of the boxes that say yes to a square, of the buttons that say which


SHEET = "/sheet"  # ends the address of what is asked about; examples have others


class Unavailable(RuntimeError):
    """The server asks to come again later; ``seconds`` is when."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"unavailable for {seconds:g} s")
        self.seconds = seconds


@dataclass
class Form:
    """A form as the page has it: where it goes, its hidden fields, what can be picked in it."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    boxes: list[str] = field(default_factory=list)  # values of those to be picked, not to report
    buttons: dict[str, str] = field(default_factory=dict)  # that answer: words by value
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
    def question(self) -> Form | None:
        """The form with squares to pick, or classes to choose from."""
        return next((form for form in self.forms if form.boxes or form.buttons), None)

    @property
    def sheet(self) -> str:
        """The address of the picture in question; empty where there is none."""
        return next((url for url in self.pictures if url.endswith(SHEET)), "")


class _Reader(HTMLParser):
    """Fills a Page."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._open: set[str] = set()
        self._button = ""  # the value of the answering one whose words are being read

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
                form.boxes.append(given.get("value", "on"))
        elif tag == "button" and self.page.forms:
            self._press(given)
        elif tag == "img":
            self.page.pictures.append(urljoin(self.page.url, given.get("src", "")))

    def _press(self, given: dict[str, str]) -> None:
        """What a button of the last form would do."""
        form = self.page.forms[-1]
        self._button = given.get("value", "") if given.get("name") == PICKED else ""
        if self._button:
            form.buttons[self._button] = ""
        elif "formaction" in given:
            form.other_actions.append(urljoin(self.page.url, given["formaction"]))

    def handle_endtag(self, tag: str) -> None:
        self._open.discard(tag)
        if tag == "button":
            self._button = ""

    def handle_data(self, data: str) -> None:
        if {"h1", "b"} <= self._open:
            self.page.emphasised += data.strip()
        if self._button and "kbd" not in self._open:  # a key is no part of the name
            self.page.forms[-1].buttons[self._button] += data.strip()


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
        """POST a form with the boxes of these values picked, or the button of that value pressed.

        Raises as ``open`` does.
        """
        pairs = [*form.hidden.items()]
        pairs += [(PICKED, value) for value in (*form.boxes, *form.buttons) if value in set(picked)]
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
