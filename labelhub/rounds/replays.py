"""Asks the inference worker for a replay, and waits for it a little: the web holds no network.

The question is a message that is not begun once the web has stopped waiting; the answer is a letter
that is forgotten when nobody comes for it. Neither piles up while the worker is away.
"""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from django.conf import settings
from kombu.exceptions import OperationalError

from labelhub.projects.models import Image
from labelhub.rounds import dispatch
from labelhub.rounds.mailbox import Mailbox, MailboxAway, mailbox_of
from labelhub.rounds.models import ModelVersion

MOST_WAITING = 8  # questions: with more before it, none is answered in time
MOST_AT_ONCE = 2  # of a web process's threads; the others are for people who label
MOST_BYTES = 8_000_000  # of an answer
LETTER_SECONDS = 10.0
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class NoAnswer(RuntimeError):
    """The worker is busy or away; the message says what to do."""


class Refusal(StrEnum):
    """Why there is no replay."""

    GONE = "gone"  # the picture's or the network's file
    PICTURE = "picture"  # what was sent is none
    FAILED = "failed"


class ReplayRefused(Exception):
    """The worker has said why there is no replay; the message is for people."""

    def __init__(self, kind: Refusal, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def replay_of_image(*, version: ModelVersion, image: Image) -> bytes:
    """The replay of an image of the version's project: see ``classifier.replay`` for the format.

    Raises NoAnswer within REPLAY_WAIT_SECONDS, ReplayRefused.
    """
    mailbox = mailbox_of(settings.REDIS_URL)
    with _taking_turns():
        return _answer(mailbox, version_id=version.pk, image_id=image.pk)


def replay_of_picture(*, version: ModelVersion, data: bytes) -> bytes:
    """The same of a picture's file, which is kept nowhere. Raises NoAnswer, ReplayRefused."""
    mailbox, name = mailbox_of(settings.REDIS_URL), _new_name()
    with _taking_turns():
        try:
            mailbox.put(name, data, seconds=LETTER_SECONDS)
            return _answer(mailbox, version_id=version.pk, picture=name)
        finally:
            mailbox.take(name)  # unless the worker has


@contextmanager
def _taking_turns() -> Iterator[None]:
    """Not every thread of the web may wait here. Raises NoAnswer, also for a broker away."""
    if not _places.acquire(blocking=False):
        raise NoAnswer(_BUSY)
    try:
        yield
    except (MailboxAway, OperationalError, OSError) as error:
        raise NoAnswer(_AWAY) from error
    finally:
        _places.release()


def _answer(mailbox: Mailbox, **asked: int | str) -> bytes:
    if mailbox.waiting(dispatch.INFERENCE_QUEUE) >= MOST_WAITING:
        raise NoAnswer(_BUSY)
    reply, seconds = _new_name(), settings.REPLAY_WAIT_SECONDS
    until = time.monotonic() + seconds
    dispatch.ask_now(dispatch.REPLAY, seconds=seconds, reply=reply, **asked)
    letter = mailbox.take(reply, seconds=max(until - time.monotonic(), 0.001))
    if letter is None:
        raise NoAnswer(_BUSY)
    return _opened(letter)


_BUSY = "The inference worker is busy or not running. Nothing was lost; try again in a moment."
_AWAY = "The message broker cannot be reached. Nothing was lost; try again in a moment."


def _new_name() -> str:
    return secrets.token_hex(16)


def answer_with(*, reply: str, replay: bytes | ReplayRefused) -> None:
    """Send what the worker has found to the process that waits for it. Raises MailboxAway."""
    if isinstance(replay, ReplayRefused):
        letter = b"-" + f"{replay.kind}:{replay}".encode()
    else:
        letter = b"+" + replay
    mailbox_of(settings.REDIS_URL).put(reply, letter, seconds=LETTER_SECONDS)


def _opened(letter: bytes) -> bytes:
    if letter[:1] == b"+":
        return letter[1:]
    kind, _, words = letter[1:].decode().partition(":")
    raise ReplayRefused(Refusal(kind), words)


def picture_sent(name: str) -> bytes | None:
    """The picture that goes with a question, once; None when it came too late. Raises
    MailboxAway."""
    return mailbox_of(settings.REDIS_URL).take(name)
