"""Replay in the dashboard: the page, the numbers behind it, and whatever is in their way."""

import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labelhub.dashboard import replay_views
from labelhub.projects.models import Image, Project
from labelhub.projects.services import add_examples
from labelhub.rounds import dispatch, mailbox
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.replays import Refusal, ReplayRefused, answer_with
from tests.dashboard.conftest import client_of, staff
from tests.dashboard.given import past_round, past_rounds, predict
from tests.factories import shapes_project

pytestmark = pytest.mark.django_db
PAGE_BUDGET = 12
PACKED = b"\x00packed"


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "REDIS_URL", "memory://localhost")
    monkeypatch.setattr(settings, "REPLAY_WAIT_SECONDS", 0.01)
    mailbox.mailbox_of.cache_clear()
    yield
    mailbox.mailbox_of.cache_clear()


class Worker:
    """Answers at once with what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: bytes | ReplayRefused | None = PACKED
        self.asked: list[dict[str, object]] = []
        self.pictures: list[bytes | None] = []

    def __call__(self, task: str, *, seconds: float, reply: str, **asked: object) -> None:
        assert task == dispatch.REPLAY
        self.asked.append(asked)
        if "picture" in asked:
            box = mailbox.mailbox_of(settings.REDIS_URL)
            self.pictures.append(box.take(str(asked["picture"])))
        if self.answer is not None:
            answer_with(reply=reply, replay=self.answer)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    made = Worker()
    monkeypatch.setattr(dispatch, "ask_now", made)
    return made


@pytest.fixture
def versions(project: Project) -> list[ModelVersion]:
    """Two that served, the second in service, and one that was refused."""
    past_rounds(project, [0.8, 0.9])
    past_round(project, accuracy=0.4, promoted=False)
    return list(project.model_versions.order_by("number"))


def first(project: Project) -> Image:
    image = project.images.order_by("pk").first()
    assert image is not None
    return image


def data_of(project: Project) -> str:
    return f"/dashboard/{project.slug}/replay/data"


def page(client: Client, project: Project, rest: str = "") -> str:
    answer = client.get(f"/dashboard/{project.slug}/replay/{rest}")
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def test_an_images_replay_is_what_the_worker_packed(
    ada: Client, project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    answer = ada.get(data_of(project), {"image": first(project).pk, "version": 1})
    assert answer.status_code == 200
    assert answer.content == PACKED
    assert answer["Content-Type"] == "application/octet-stream"
    assert "no-store" in answer["Cache-Control"]
    assert worker.asked == [{"version_id": versions[0].pk, "image_id": first(project).pk}]


def test_without_a_version_the_one_in_service_is_asked(
    ada: Client, project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    assert ada.get(data_of(project), {"image": first(project).pk}).status_code == 200
    assert worker.asked[0]["version_id"] == versions[1].pk


def test_a_picture_that_is_sent_goes_to_the_worker_byte_for_byte(
    vera: Client, project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    sent = SimpleUploadedFile("mine.png", b"any bytes at all" * 999, "image/png")
    answer = vera.post(data_of(project), {"version": 2, "picture": sent})
    assert (answer.status_code, answer.content) == (200, PACKED)
    assert worker.pictures == [b"any bytes at all" * 999]
    assert project.images.count() == 60


def test_a_worker_that_is_busy_or_away_is_a_503_in_words_that_says_when_to_come_back(
    ada: Client, project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    worker.answer = None
    sent = SimpleUploadedFile("mine.png", b"a picture", "image/png")
    for answer in (
        ada.get(data_of(project), {"image": first(project).pk}),
        ada.post(data_of(project), {"picture": sent}),
    ):
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) > 0
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert "try again in a moment" in answer.text


def test_without_a_broker_a_replay_is_a_503_too(
    ada: Client,
    project: Project,
    versions: list[ModelVersion],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path,
) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", f"redis+socket://{tmp_path}/nobody.sock")
    answer = ada.get(data_of(project), {"image": first(project).pk})
    assert answer.status_code == 503
    assert "broker" in answer.text


def test_what_the_worker_refuses_is_said_in_its_words(
    ada: Client, project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    expected = ((Refusal.GONE, 410), (Refusal.PICTURE, 422), (Refusal.FAILED, 500))
    for kind, status in expected:
        worker.answer = ReplayRefused(kind, "The file of Ada’s cat: it is lost.")
        answer = ada.get(data_of(project), {"image": first(project).pk})
        assert answer.status_code == status
        assert answer.text == "The file of Ada’s cat: it is lost."


def test_strangers_and_outsiders_get_no_numbers(
    project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    asked = {"image": first(project).pk}
    stranger = Client().get(data_of(project), asked)
    assert (stranger.status_code, stranger["Location"][:7]) == (302, "/login/")
    assert Client().post(data_of(project), asked)["Location"].startswith("/login/")
    for client in (client_of(User.objects.create_user("oskar")), staff("stella")):
        assert client.get(data_of(project), asked).status_code == 403
        assert client.post(data_of(project), asked).status_code == 403
    assert worker.asked == []


def test_a_picture_is_taken_with_a_token_only(
    project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    strict.force_login(User.objects.create_superuser("ada"))
    sent = {"picture": SimpleUploadedFile("mine.png", b"a picture", "image/png")}
    assert strict.post(data_of(project), sent).status_code == 403
    assert worker.asked == []
    shown = strict.get(f"/dashboard/{project.slug}/replay/").text
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', shown)
    assert token
    sent["picture"].seek(0)
    answer = strict.post(data_of(project), {**sent, "csrfmiddlewaretoken": token[1]})
    assert answer.status_code == 200


def test_a_picture_that_is_too_large_is_refused_before_it_is_read(
    ada: Client, project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    large = SimpleUploadedFile("x.png", b"x" * (replay_views.MOST_SENT + 20_000), "image/png")
    answer = ada.post(data_of(project), {"picture": large})
    assert answer.status_code == 413
    assert answer.text == "The picture is too large: at most 8 MB are taken."
    assert worker.asked == []


def test_no_picture_is_no_question(
    ada: Client, project: Project, versions: list[ModelVersion], worker: Worker
) -> None:
    answer = ada.post(data_of(project), {"picture": "words"})
    assert (answer.status_code, answer.text) == (422, "Choose a picture first.")
    assert worker.asked == []


@pytest.mark.parametrize(
    "asked",
    [
        {"image": "0"},
        {"image": "999999"},
        {"image": "-1"},
        {"image": "one"},
        {"image": "١"},
        {"image": "9" * 30},
        {"image": "9" * 18},
        {"image": ""},
        {"version": "2"},
        {"image": "{first}", "version": "77"},
        {"image": "{first}", "version": "9" * 18},
        {"image": "{first}", "version": "2.0"},
        {"image": "{other}"},
    ],
)
def test_what_the_project_does_not_have_is_not_found(
    ada: Client,
    project: Project,
    versions: list[ModelVersion],
    worker: Worker,
    asked: dict[str, str],
) -> None:
    other = first(shapes_project(name="Other"))
    places = {"first": first(project).pk, "other": other.pk}
    given = {name: value.format(**places) for name, value in asked.items()}
    assert ada.get(data_of(project), given).status_code == 404
    assert worker.asked == []


def test_without_any_network_there_is_no_replay(
    ada: Client, project: Project, worker: Worker
) -> None:
    assert ada.get(data_of(project), {"image": first(project).pk}).status_code == 404
    shown = page(ada, project)
    assert "No network yet" in shown
    assert "The first Round that is trained makes a version" in shown
    assert 'id="play"' not in shown


def test_a_project_without_pictures_says_what_to_do(ada: Client) -> None:
    empty = shapes_project(name="Empty", images=0, gold_per_class=0)
    past_round(empty, accuracy=0.9)
    shown = page(ada, empty)
    assert "No pictures yet" in shown
    assert "Import some" in shown


def test_the_page_offers_versions_examples_and_pictures_in_doubt(
    ada: Client, project: Project, versions: list[ModelVersion]
) -> None:
    images = list(project.images.order_by("pk"))
    add_examples(label_class=project.label_classes.get(key="circle"), images=images[:2])
    predict(versions[1], images[20:40])
    shown = page(ada, project)
    assert "version 2, seed, in service" in shown
    assert "version 3, seed, refused" in shown
    assert '<option value="2" selected>' in shown
    offered = re.findall(r'name="image-a" value="(\d+)"', shown)
    assert [str(one.pk) for one in images[:2]] == offered[:2]
    assert str(images[39].pk) in offered
    assert f'data-url="/dashboard/{project.slug}/replay/data"' in shown


def test_the_page_shows_what_its_address_names_alone_or_side_by_side(
    ada: Client, project: Project, versions: list[ModelVersion]
) -> None:
    one, two = project.images.order_by("-pk")[:2]
    alone = page(ada, project, f"?image={one.pk}&version=1")
    assert alone.count('class="lane"') == 2  # the second one waits in a template
    assert alone.partition("<template")[0].count('class="lane"') == 1
    assert re.search(rf'name="image-a" value="{one.pk}"[^>]* checked', alone)
    assert '<option value="1" selected>' in alone
    address = f"?image={one.pk}&version=1&beside=1&beside_image={two.pk}&beside_version=3"
    both = page(ada, project, address).partition("<template")[0]
    assert both.count('class="lane"') == 2
    assert re.search(rf'name="image-b" value="{two.pk}"[^>]* checked', both)
    other = first(shapes_project(name="Other"))
    for rest in (f"?image={other.pk}", "?image=x", "?version=9", "?beside=1&beside_image=x"):
        assert ada.get(f"/dashboard/{project.slug}/replay/{rest}").status_code == 404


def test_the_second_lane_is_of_another_version_where_there_is_one(
    ada: Client, project: Project
) -> None:
    past_round(project, accuracy=0.8)
    hidden = page(ada, project).partition("<template")[2]
    assert '<option value="1" selected>' in hidden
    past_round(project, accuracy=0.9)
    assert '<option value="1" selected>' in page(ada, project).partition("<template")[2]


def test_the_page_costs_as_much_with_many_pictures_as_with_few(ada: Client) -> None:
    costs = []
    for count in (30, 90):
        project = shapes_project(name=f"Of {count}", images=count)
        past_rounds(project, [0.8, 0.9])
        page(ada, project)
        with CaptureQueriesContext(connection) as queries:
            page(ada, project)
        costs.append(len(queries))
    assert costs[0] == costs[1] <= PAGE_BUDGET


def test_the_ways_to_a_replay(ada: Client, project: Project) -> None:
    image = first(project)
    replay = f"/dashboard/{project.slug}/replay/"
    assert f'href="{replay}"' in ada.get(f"/dashboard/{project.slug}/").text
    shown = ada.get(f"/dashboard/{project.slug}/images/{image.pk}/").text
    assert f'href="{replay}?image={image.pk}"' in shown
