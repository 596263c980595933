"""Simulated visitors: what they see, how they answer, and how they bear a server that is away."""

import http.server
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from django.contrib.auth import authenticate

from labelhub.annotators.models import Annotator
from labelhub.projects.models import Gold, Image, Project
from labelhub.rounds.models import Candidate, Round
from labelhub.votes.models import Consensus, Vote
from tests.factories import NOON
from workers.demo import project as demo
from workers.demo.browser import Form
from workers.demo.robots import Habits, Robot, Tally
from workers.demo.truth import Eye, Truth, UnknownPicture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shapes() -> Project:
    demo.prepare_demo(wishes=demo.Wishes(images=200), now=NOON, say=lambda _: None)
    return Project.objects.get(slug=demo.SLUG)


@pytest.fixture
def grids(shapes: Project) -> Project:
    """The same, asked in grids alone."""
    shapes.candidates.update(form=Candidate.Form.GRID)
    Project.objects.update(asks_choices=False)
    return shapes


@pytest.fixture
def choices(shapes: Project) -> Project:
    """The same, every open picture best asked with all classes to choose from."""
    shapes.candidates.filter(queue=Candidate.Queue.OPEN).update(form=Candidate.Form.CHOICE)
    Project.objects.update(asks_choices=True)
    return shapes


class Patience:
    """Waits no time, notes how long it was asked to, and ends after so many waits."""

    def __init__(self, waits: int) -> None:
        self.left = waits
        self.waited: list[float] = []

    def __call__(self, seconds: float, /) -> bool:
        self.left -= 1
        self.waited.append(seconds)
        return self.left < 0


def robot(address: str, pause: Patience, *, accuracy: float = 1.0, seed: int = 0) -> Robot:
    return Robot(
        address=address,
        project=demo.SLUG,
        eye=Eye(Truth.load(demo.truth_file())),
        habits=Habits(accuracy=accuracy, pace=0.0),
        generator=Random(seed),
        pause=pause,
    )


# --- What they see --------------------------------------------------------------------------------


@pytest.fixture
def pictures() -> Truth:
    drawn = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
    return Truth(drawn, tuple("abcdef"), ("circle", "cross", "ring", "circle", "cross", "ring"))


def sheet_of(truth: Truth, numbers: list[int], columns: int) -> np.ndarray:
    tiles = [truth.pictures[number] for number in numbers]
    rows = [
        np.concatenate(tiles[start : start + columns], axis=1)
        for start in range(0, len(tiles), columns)
    ]
    return np.concatenate(rows, axis=0)


def test_a_tile_is_known_again_by_its_pixels_row_by_row(pictures: Truth) -> None:
    sheet = sheet_of(pictures, [5, 0, 1, 4], columns=2)
    assert Eye(pictures).look(sheet, tiles=4) == ["ring", "circle", "cross", "cross"]


def test_a_tile_that_is_none_of_the_pictures_is_named_and_not_guessed(pictures: Truth) -> None:
    sheet = sheet_of(pictures, [0, 1, 2, 3], columns=2).copy()
    sheet[-1, -1, 0] ^= 255
    with pytest.raises(UnknownPicture, match="tile 3"):
        Eye(pictures).look(sheet, tiles=4)
    with pytest.raises(UnknownPicture, match="16×15 pixels"):
        Eye(pictures).look(sheet[:-1], tiles=4)
    with pytest.raises(UnknownPicture, match="holds no 9 tiles"):
        Eye(pictures).look(sheet, tiles=9)


def test_what_the_pictures_show_is_read_back_as_it_was_written(
    pictures: Truth, tmp_path: Path
) -> None:
    pictures.save(tmp_path / "truth.npz")
    again = Truth.load(tmp_path / "truth.npz")
    assert (again.pictures == pictures.pictures).all()
    assert again.key_of() == pictures.key_of() == dict(zip("abcdef", pictures.keys, strict=True))


# --- How they answer ------------------------------------------------------------------------------


def test_a_robot_that_never_errs_votes_what_each_picture_shows(
    grids: Project, live_server: Any
) -> None:
    visitor = robot(live_server.url, Patience(4))
    visitor.run()
    assert visitor.tally.grids == 4
    votes = list(Vote.objects.select_related("image", "label_class"))
    assert len(votes) > 3 * grids.tiles_per_grid
    key_of = Truth.load(demo.truth_file()).key_of()
    for vote in votes:
        assert vote.answer == (key_of[vote.image.sha256] == vote.label_class.key)
    assert Annotator.objects.count() == visitor.tally.visitors == 1
    assert Annotator.objects.get().graded_hits > 0


def test_a_robot_that_never_errs_chooses_what_each_picture_shows(
    choices: Project, live_server: Any
) -> None:
    visitor = robot(live_server.url, Patience(24))
    visitor.run()
    assert visitor.tally.choices == Vote.objects.count() == 24
    key_of = Truth.load(demo.truth_file()).key_of()
    for vote in Vote.objects.select_related("image", "label_class"):
        assert (vote.kind, vote.answer) == (Vote.Kind.CHOICE, True)
        assert key_of[vote.image.sha256] == vote.label_class.key
    ada = Annotator.objects.get()
    assert ada.graded_hits == ada.graded_yes > 0


def test_a_robot_chooses_wrongly_as_often_as_it_is_told(choices: Project, live_server: Any) -> None:
    visitor = robot(live_server.url, Patience(40), accuracy=0.5)
    visitor.run()
    key_of = Truth.load(demo.truth_file()).key_of()
    votes = Vote.objects.select_related("image", "label_class")
    right = [key_of[vote.image.sha256] == vote.label_class.key for vote in votes]
    assert visitor.tally.choices == len(right) == 40
    assert 0.25 < sum(right) / len(right) < 0.75


def test_a_choice_takes_a_robot_a_part_of_a_grids_time() -> None:
    habits = Habits(pace=10.0)
    assert habits.thinking(Form("/", buttons={"1": "circle"})) < 5
    assert habits.thinking(Form("/", boxes=["0"])) == 10.0


def test_a_robot_errs_as_often_as_it_is_told(grids: Project, live_server: Any) -> None:
    visitor = robot(live_server.url, Patience(8), accuracy=0.5)
    visitor.run()
    key_of = Truth.load(demo.truth_file()).key_of()
    right = [
        vote.answer == (key_of[vote.image.sha256] == vote.label_class.key)
        for vote in Vote.objects.select_related("image", "label_class")
    ]
    assert visitor.tally.grids >= 6
    assert 0.25 < sum(right) / len(right) < 0.75


def test_a_visitor_to_whom_nothing_is_left_to_ask_makes_room_for_another(
    grids: Project, live_server: Any
) -> None:
    Image.objects.filter(project=grids, gold=None).exclude(
        pk__in=grids.images.filter(gold=None, holdout=False)[:20]
    ).delete()
    visitor = robot(live_server.url, Patience(14))
    visitor.run()
    assert visitor.tally.visitors > 1
    assert Annotator.objects.count() == visitor.tally.visitors


def test_pictures_that_the_robot_does_not_know_are_skipped_without_a_vote(
    shapes: Project, live_server: Any
) -> None:
    truth = Truth.load(demo.truth_file())
    Truth(255 - truth.pictures, truth.sha256s, truth.keys).save(demo.truth_file())
    visitor = robot(live_server.url, Patience(3))
    visitor.run()
    assert visitor.tally == Tally(visitors=1)
    assert not Vote.objects.exists()
    assert shapes.challenges.filter(state="skipped").count() == 3


# --- A server that is away ------------------------------------------------------------------------


@pytest.fixture
def busy() -> Iterator[str]:
    """A server that says 503 to everyone."""

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.send_header("Retry-After", "5")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quietly."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_busy_server_is_left_alone_as_long_as_it_asks(shapes: Project, busy: str) -> None:
    pause = Patience(3)
    robot(busy, pause).run()
    assert pause.waited == [5, 5, 5, 5]


def test_a_server_that_is_away_is_asked_less_and_less_often(shapes: Project) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        pause = Patience(6)
        robot(f"http://127.0.0.1:{nobody.getsockname()[1]}", pause).run()
    assert pause.waited == [0.5, 1, 2, 4, 8, 8, 8]


# --- The project they visit -----------------------------------------------------------------------


def test_the_demo_has_gold_of_every_class_examples_and_a_holdout(shapes: Project) -> None:
    key_of = Truth.load(demo.truth_file()).key_of()
    known = Gold.objects.select_related("image", "label_class")
    assert {gold.label_class.key for gold in known} == set(key_of.values())
    assert all(key_of[gold.image.sha256] == gold.label_class.key for gold in known)
    assert shapes.images.count() == len(key_of) == 200
    assert shapes.images.filter(holdout=True).exists()
    assert Consensus.objects.filter(project=shapes).count() == 200
    for label_class in shapes.label_classes.filter(is_none=False):
        assert label_class.examples.exists()


def test_a_second_start_imports_and_draws_nothing(
    shapes: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(**_: Any) -> None:
        raise AssertionError("a second start must only look")

    for work in ("draw_shapes", "import_images", "create_project"):
        monkeypatch.setattr(demo, work, never)
    said: list[str] = []
    demo.prepare_demo(wishes=demo.Wishes(), now=NOON, say=said.append)
    assert said == []


def test_a_first_start_that_was_interrupted_is_finished_by_the_next(shapes: Project) -> None:
    (demo.demo_folder() / "ready").unlink()
    demo.prepare_demo(wishes=demo.Wishes(images=200), now=NOON, say=lambda _: None)
    assert Project.objects.count() == 1
    assert shapes.images.count() == 200
    assert (demo.demo_folder() / "ready").is_file()


def test_the_first_round_is_opened_once(shapes: Project) -> None:
    demo.open_first_round(now=NOON)
    demo.open_first_round(now=NOON)
    assert Round.objects.count() == 1


def test_the_admins_password_is_made_once_and_kept_from_others(shapes: Project) -> None:
    password = demo.admin_password()
    assert demo.admin_password() == password
    kept = demo.demo_folder() / "admin-password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    admin = authenticate(username=demo.ADMIN, password=password)
    assert admin is not None
    assert admin.is_superuser
    admin.set_password("of Ada's own choice")
    admin.save()
    assert demo.admin_password() == "(as somebody changed it)"
