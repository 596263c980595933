"""Replays through worker and mailbox: the served network's own signal, and refusals in words."""

import io
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from django.conf import settings
from PIL import Image as Pillow

from classifier import patches
from classifier.activations import stages
from classifier.dataset import prepare_image
from classifier.model import RECIPES
from classifier.replay import unpacked
from labelhub.projects.models import Image, Project
from labelhub.projects.pictures import open_full
from labelhub.rounds import dispatch, mailbox, replays
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.models import ModelVersion, Prediction
from labelhub.rounds.replays import (
    MOST_WAITING,
    NoAnswer,
    Refusal,
    ReplayRefused,
    replay_of_image,
    replay_of_picture,
)
from tests.pictured import draw, striped_project
from tests.workers.untrained import rank, untrained_version
from workers import networks, warming
from workers.inference_tasks import replay as replay_task
from workers.networks import load_network

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Letters stay in this process, and nobody waits long for one."""
    monkeypatch.setattr(settings, "REDIS_URL", "memory://localhost")
    monkeypatch.setattr(settings, "REPLAY_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(patches, "SAMPLE", 2000)
    networks._load.cache_clear()
    mailbox.mailbox_of.cache_clear()
    yield
    mailbox.mailbox_of.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Messages that no worker takes."""
    messages: list[dict[str, object]] = []
    monkeypatch.setattr(dispatch, "ask_now", lambda task, **asked: messages.append(asked))
    return messages


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that takes each message at once, as it would come over the wire."""

    def take(task: str, *, seconds: float, **asked: object) -> None:
        assert task == replay_task.name
        replay_task(**asked, from_a_later_version=1)

    monkeypatch.setattr(dispatch, "ask_now", take)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def refusal(version: ModelVersion, image: Image) -> ReplayRefused:
    with pytest.raises(ReplayRefused) as refused:
        replay_of_image(version=version, image=image)
    return refused.value


def first_image(project: Project) -> Image:
    found = project.images.order_by("pk").first()
    assert found is not None
    return found


@pytest.mark.parametrize("recipe", [*RECIPES, "features+seed"])
def test_a_replay_is_what_the_served_network_computes_and_predicts(
    worker: None, recipe: str
) -> None:
    """The maps are those of a forward pass; the softmax is the Prediction that is stored."""
    project = striped_project(images=12, gold_per_class=2, image_size=32)
    project.recipe = recipe  # of the version: no project asks for an ensemble by its name
    version = untrained_version(project)
    ModelVersion.objects.filter(pk=version.pk).update(temperature=1.6)
    version.refresh_from_db()
    rank(version)
    network = load_network(project=project, sha256=version.sha256)
    for image in project.images.order_by("pk")[:3]:
        header, values = unpacked(replay_of_image(version=version, image=image))
        assert header["version"] == version.number
        assert header["sha256"] == version.sha256
        assert [one["id"] for one in header["classes"]] == version.label_classes
        assert header["classes"][0]["name"] == "across"
        shown = stages(network, prepare_image(open_full(image.sha256), 32, 3), temperature=1.6)
        assert [one["name"] for one in header["stages"]] == [stage.name for stage in shown]
        for stage, found, described in zip(shown, values, header["stages"], strict=True):
            if described["kind"] == "convolution" and described["pooled"] == 1:
                count = len(found)
                step = described["scale"] / 2 + 1e-6
                assert np.abs(found - stage.values[:count]).max() <= step, stage.name
        prediction = Prediction.objects.get(model_version=version, image=image)
        stored = np.frombuffer(bytes(prediction.probabilities), "<f4")
        assert values[-1] == pytest.approx(stored, abs=1e-5)


def test_a_picture_of_ones_own_is_replayed_and_kept_nowhere(worker: None) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version = untrained_version(project)
    drawn = draw("down", np.random.default_rng(3))
    header, values = unpacked(replay_of_picture(version=version, data=png(drawn)))
    assert values[0].transpose(1, 2, 0) == pytest.approx(drawn)
    assert header["stages"][-1]["kind"] == "softmax"
    assert project.images.count() == 12
    assert mailbox.mailbox_of("memory://localhost")._letters == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"GIF89a nothing more", "not a picture"),
        (b"#!/bin/sh\nrm -rf /", "not a picture"),
        (png(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8))[:2000], "cut short"),
        (png(np.zeros((1, 40_000_001), np.uint8)), "at most 40 million pixels"),
    ],
    ids=["nothing", "a beginning", "a program", "a half", "a bomb"],
)
def test_what_is_no_picture_is_refused_in_words(worker: None, data: bytes, words: str) -> None:
    version = untrained_version(striped_project(images=12, gold_per_class=2))
    with pytest.raises(ReplayRefused, match=words) as refused:
        replay_of_picture(version=version, data=data)
    assert refused.value.kind == Refusal.PICTURE


def test_a_picture_whose_file_is_lost_is_named(worker: None) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version, image = untrained_version(project), first_image(project)
    for file in (settings.DATA_DIR / "pictures").rglob(f"{image.sha256}*"):
        file.unlink()
    lost = refusal(version, image)
    assert lost.kind == Refusal.GONE
    assert str(lost) == f"The file of {image.name} is lost or damaged, so it cannot be replayed."


@pytest.mark.parametrize("fault", ["lost", "cut", "replaced"])
def test_a_network_whose_file_is_not_the_one_that_was_published_is_not_replayed(
    worker: None, fault: str
) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version, image = untrained_version(project), first_image(project)
    path = model_folder(project) / f"{version.sha256}.safetensors"
    other = model_folder(project) / f"{version.fold_sha256[0]}.safetensors"
    data = {"lost": b"", "cut": path.read_bytes()[:-9], "replaced": other.read_bytes()}[fault]
    path.unlink()
    if data:
        path.write_bytes(data)
    lost = refusal(version, image)
    assert lost.kind == Refusal.GONE
    assert "lost or damaged" in str(lost)


def test_a_version_or_an_image_that_is_gone_meanwhile_is_said_to_be(worker: None) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version, image = untrained_version(project), first_image(project)
    gone = replace_pk(Image, image)
    assert str(refusal(version, gone)) == "This picture is gone."
    assert str(refusal(replace_pk(ModelVersion, version), image)) == "This version is gone."
    other = first_image(striped_project(name="Others", images=12, gold_per_class=2))
    assert str(refusal(version, other)) == "This picture is gone."


def replace_pk(kind: type, row: Image | ModelVersion) -> Image | ModelVersion:
    return kind(pk=row.pk + 1000)


def test_what_fails_unexpectedly_is_said_at_once_and_raised_in_the_worker(
    worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version, image = untrained_version(project), first_image(project)
    ModelVersion.objects.filter(pk=version.pk).update(config={"classes": 4, "recipe": 7})
    with pytest.raises(ValueError, match="recipe must be a name"):
        replay_of_image(version=version, image=image)
    (letter,) = mailbox.mailbox_of("memory://localhost")._letters.values()  # type: ignore[attr-defined]
    with pytest.raises(ReplayRefused, match="the log of the inference worker says why"):
        replays._opened(letter[0])


def test_without_a_worker_there_is_no_answer_and_the_message_does_not_outlive_the_wait(
    sent: list[dict[str, object]],
) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version, image = untrained_version(project), first_image(project)
    with pytest.raises(NoAnswer, match="busy or not running"):
        replay_of_image(version=version, image=image)
    assert sent[0]["seconds"] == settings.REPLAY_WAIT_SECONDS
    assert sent[0].keys() == {"seconds", "reply", "version_id", "image_id"}
    with pytest.raises(NoAnswer):
        replay_of_picture(version=version, data=b"a picture")
    assert mailbox.mailbox_of("memory://localhost")._letters == {}  # type: ignore[attr-defined]


def test_an_answer_that_comes_too_late_waits_for_nobody_for_ever(
    sent: list[dict[str, object]],
) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version, image = untrained_version(project), first_image(project)
    with pytest.raises(NoAnswer):
        replay_of_image(version=version, image=image)
    sent[0].pop("seconds")
    replay_task(**sent[0])
    ((_, until),) = mailbox.mailbox_of("memory://localhost")._letters.values()  # type: ignore[attr-defined]
    assert until < 1e9  # a moment, not for ever: the mailbox's own clock
    with pytest.raises(NoAnswer):
        replay_of_image(version=version, image=image)  # another question has another letter


def test_a_message_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, object]] = []
    monkeypatch.setattr(
        dispatch.current_app, "send_task", lambda *args, **options: told.append(options)
    )
    dispatch.ask_now(dispatch.REPLAY, seconds=2.0, version_id=1, reply="a")
    assert told == [{"kwargs": {"version_id": 1, "reply": "a"}, "retry": False, "expires": 2.0}]


class Crowded(mailbox.MemoryMailbox):
    """A queue in which others wait already."""

    def __init__(self, waiting: int) -> None:
        super().__init__()
        self._others = waiting

    def waiting(self, queue: str) -> int:
        assert queue == dispatch.INFERENCE_QUEUE
        return self._others


def _given(box: mailbox.Mailbox, _url: str) -> mailbox.Mailbox:
    return box


def test_nobody_joins_a_queue_that_is_too_long_to_be_answered_in_time(
    sent: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version, image = untrained_version(project), first_image(project)
    for waiting, messages in ((MOST_WAITING, 0), (MOST_WAITING - 1, 1)):
        monkeypatch.setattr(replays, "mailbox_of", partial(_given, Crowded(waiting)))
        with pytest.raises(NoAnswer, match="busy or not running"):
            replay_of_image(version=version, image=image)
        assert len(sent) == messages


def test_not_every_thread_of_the_web_waits_for_replays(
    sent: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = striped_project(images=12, gold_per_class=2)
    version, image = untrained_version(project), first_image(project)
    for _ in range(replays.MOST_AT_ONCE):
        assert replays._places.acquire(blocking=False)
    try:
        with pytest.raises(NoAnswer):
            replay_of_image(version=version, image=image)
        assert sent == []
    finally:
        for _ in range(replays.MOST_AT_ONCE):
            replays._places.release()
    with pytest.raises(NoAnswer):
        replay_of_image(version=version, image=image)
    assert len(sent) == 1  # a place that was given back


def test_a_broker_that_is_away_is_no_answer_and_costs_no_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", f"redis+socket://{tmp_path}/nobody.sock")
    version = ModelVersion(pk=1)
    with pytest.raises(NoAnswer, match="broker cannot be reached"):
        replay_of_image(version=version, image=Image(pk=1))
    with pytest.raises(NoAnswer, match="broker cannot be reached"):
        replay_of_picture(version=version, data=b"a picture")


def test_the_networks_in_service_are_warm_before_the_first_question(
    worker: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert warming.warm_up() == 0
    project = striped_project(images=12, gold_per_class=2)
    version = untrained_version(project)
    assert warming.warm_up() == 1
    assert networks._load.cache_info().currsize == 1
    lost = untrained_version(striped_project(name="Lost", images=12, gold_per_class=2))
    ModelVersion.objects.filter(pk=lost.pk).update(sha256="a" * 64)
    warming.warm_up()
    assert "the first replay may take longer" in caplog.text
    replay_of_image(version=version, image=first_image(project))
