"""Labels that networks doubt which did not learn them: which are looked at, and which kept."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.projects.services import add_examples, confirm_gold
from labelhub.rounds import dispatch, label_doubts
from labelhub.rounds.contradicted import AGAIN, ask_again_about
from labelhub.rounds.label_doubts import (
    NoNetwork,
    find_label_errors,
    send_due_searches,
    settled_labels,
)
from labelhub.rounds.models import Candidate, LabelDoubts, ModelVersion, Prediction
from labelhub.rounds.shards import start_ranking
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.services import NewVote, record_votes
from tests.dashboard.given import past_round
from tests.factories import NOON, SHAPES, shapes_project, true_key, visitor

pytestmark = pytest.mark.django_db


def named(project: Project, key: str) -> LabelClass:
    return LabelClass.objects.get(project=project, key=key)


def say(version: ModelVersion, image: Image, key: str, sure: float = 0.94) -> None:
    """The out-of-fold networks take an image for this class."""
    index = version.label_classes.index(named(version.project, key).pk)
    p = np.full(len(version.label_classes), (1 - sure) / (len(version.label_classes) - 1))
    p[index] = sure
    Prediction.objects.update_or_create(
        model_version=version,
        image=image,
        defaults={"probabilities": b"", "prior": p.astype("<f4").tobytes(), "entropy": 0.1},
    )


def choose(project: Project, image: Image, key: str, people: int = 2) -> None:
    for _ in range(people):
        vote = NewVote(image.pk, named(project, key).pk, True, Vote.Kind.CHOICE)
        who = visitor(project)
        record_votes(project=project, annotator=who, votes=[vote], challenge="c", now=NOON)


def settle(image: Image, key: str) -> None:
    """As votes and network together would, were they asked about it long enough."""
    row = named(image.project, key)
    Consensus.objects.filter(image=image).update(settled=True, label_class=row, confidence=0.99)


@pytest.fixture
def project() -> Project:
    """Sixty shapes, thirty of them Gold, with a network that knows them all."""
    project = shapes_project(images=60, gold_per_class=10)
    version = past_round(project, accuracy=0.98)
    for image in project.images.all():
        say(version, image, true_key(image))
    return project


@pytest.fixture
def version(project: Project) -> ModelVersion:
    return project.model_versions.get(serving=True)


def golden(project: Project, place: int) -> Image:
    return list(project.images.filter(gold__isnull=False).order_by("pk"))[place]


def open_image(project: Project, place: int = 0) -> Image:
    return list(project.images.filter(gold__isnull=True).order_by("pk"))[place]


def doubted(project: Project) -> list[tuple[int, str, str]]:
    keys = dict(LabelClass.objects.filter(project=project).values_list("pk", "key"))
    entries = find_label_errors(project=project, now=NOON).entries
    return [(image, keys[label], keys[likely]) for image, label, likely, _doubt in entries]


def test_labels_that_the_networks_share_are_not_doubted(project: Project) -> None:
    assert doubted(project) == []
    row = LabelDoubts.objects.get(project=project)
    assert (row.labels, row.suspected) == (30, 0)


def test_wrong_gold_of_the_import_is_doubted_the_surest_first(
    project: Project, version: ModelVersion
) -> None:
    one, two = golden(project, 0), golden(project, 5)
    say(version, one, "triangle", sure=0.95)
    say(version, two, "cross", sure=0.99)
    assert (true_key(one), true_key(two)) == ("circle", "triangle")
    assert doubted(project) == [(two.pk, "triangle", "cross"), (one.pk, "circle", "triangle")]


def test_a_label_is_what_votes_alone_give(project: Project, version: ModelVersion) -> None:
    """Circle, say two people; the network's word is in the consensus, and must not count twice."""
    image = open_image(project)
    choose(project, image, "circle")
    settle(image, "circle")
    say(version, image, "cross")
    Consensus.objects.filter(image=image).update(prior=b"")
    assert doubted(project) == [(image.pk, "circle", "cross")]


def test_what_the_network_alone_has_settled_is_nobodys_error(
    project: Project, version: ModelVersion
) -> None:
    silent, contradicted, half = (open_image(project, place) for place in range(3))
    for image in (silent, contradicted, half):
        say(version, image, "cross")
    settle(silent, "circle")  # nobody has voted
    choose(project, contradicted, "circle")
    settle(contradicted, "cross")  # votes say circle, and the label is the network's already
    vote = NewVote(half.pk, named(project, "circle").pk, answer=False)
    who = visitor(project)
    record_votes(project=project, annotator=who, votes=[vote], challenge="c", now=NOON)
    settle(half, "triangle")  # "not a circle" gives no class
    assert doubted(project) == []
    assert LabelDoubts.objects.get(project=project).labels == 30


def test_what_is_open_excluded_an_example_or_certain_by_eye_is_not_looked_at(
    project: Project, version: ModelVersion
) -> None:
    images = [golden(project, place) for place in range(4)]
    for image in images:
        say(version, image, SHAPES[(SHAPES.index(true_key(image)) + 1) % 3])
    unsettled, excluded, by_eye, by_review = images
    Consensus.objects.filter(image=unsettled).update(settled=False)
    Image.objects.filter(pk=excluded.pk).update(status=Image.Status.EXCLUDED)
    confirm_gold(image=by_eye, confirmed_by_id=None, now=NOON)
    Gold.objects.filter(image=by_review).update(source=Gold.Source.REVIEW)
    shown = open_image(project)
    choose(project, shown, "circle")
    settle(shown, "circle")
    say(version, shown, "cross")
    add_examples(label_class=named(project, "circle"), images=[shown])
    assert doubted(project) == []
    assert LabelDoubts.objects.get(project=project).labels == 30 - 4


def test_labels_are_read_batch_by_batch(
    project: Project, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = settled_labels(version=version)
    monkeypatch.setattr(label_doubts, "BATCH", 7)
    parts = settled_labels(version=version)
    assert parts.images.tolist() == whole.images.tolist() == sorted(whole.images.tolist())
    assert parts.priors == pytest.approx(whole.priors)


def test_a_list_is_as_long_as_anybody_looks_at(
    project: Project, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_doubts, "MOST_KEPT", 2)
    for place in range(4):
        image = golden(project, place)
        say(version, image, "circle" if true_key(image) != "circle" else "cross")
    assert len(doubted(project)) == 2
    assert LabelDoubts.objects.get(project=project).suspected == 4


def test_a_project_without_a_network_says_so() -> None:
    with pytest.raises(NoNetwork, match="shapes has no model version in service"):
        find_label_errors(project=shapes_project(), now=NOON)


def test_before_anything_is_ranked_there_is_nothing_to_doubt() -> None:
    project = shapes_project()
    past_round(project, accuracy=0.9)
    assert doubted(project) == []


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    messages: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(dispatch, "ask_now", lambda task, **said: messages.append((task, said)))
    return messages


def test_labels_are_looked_at_once_for_each_version_that_has_ranked_every_image(
    project: Project, version: ModelVersion, sent: list[tuple[str, dict[str, object]]]
) -> None:
    start_ranking(model_version=version, shards=[(1, 60)], now=NOON)
    assert send_due_searches() == 0  # it still ranks
    version.ranking_shards.update(finished_at=NOON)
    assert send_due_searches() == 1
    told = {"seconds": dispatch.TICK_SECONDS, "project_id": project.pk}
    assert sent == [(dispatch.FIND_LABEL_ERRORS, told)]
    find_label_errors(project=project, now=NOON)
    assert send_due_searches() == 0
    later = past_round(project, accuracy=0.99)
    assert send_due_searches() == 0  # it has looked at nothing yet
    say(later, golden(project, 0), "circle")
    assert send_due_searches() == 1


def test_a_search_that_nobody_could_be_told_of_waits_for_the_next_tick(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(task: str, **said: object) -> None:
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(dispatch, "ask_now", away)
    assert send_due_searches() == 0
    assert "label errors are looked for later" in caplog.text


def test_an_image_that_an_admin_doubts_is_asked_about_before_all_others(project: Project) -> None:
    image = open_image(project)
    choose(project, image, "circle")
    settle(image, "circle")
    assert ask_again_about(image=Image.objects.select_related("consensus").get(pk=image.pk))
    place = Candidate.objects.get(image=image)
    assert (place.priority, place.label_class.key, place.form) == (AGAIN, "circle", "grid")
    gold = Image.objects.select_related("consensus").get(pk=golden(project, 0).pk)
    assert not ask_again_about(image=gold)


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("find_label_errors", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_names_the_labels_and_keeps_the_list_for_the_dashboard(
    project: Project, version: ModelVersion
) -> None:
    image = golden(project, 0)
    say(version, image, "triangle")
    words = command(project.slug)
    assert "1 of 30 settled labels are likely wrong, by the networks of version 1" in words
    assert (
        f"image {image.pk} ({image.name}): labelled circle, if it is not, then triangle (doubt "
        in words
    )
    told = json.loads(command(project.slug, "--json", "-"))
    assert told["labels"] == 30
    assert told["suspected"] == 1
    (row,) = told["doubted"]
    assert (row["image"], row["label"], row["likely"]) == (image.pk, "circle", "triangle")
    assert row["doubt"] > 5
    assert json.loads(command(project.slug, "--limit", "0", "--json", "-"))["doubted"] == []
    assert LabelDoubts.objects.filter(project=project).count() == 1


def test_the_command_refuses_what_it_cannot_do_in_one_line() -> None:
    project = shapes_project()
    with pytest.raises(CommandError, match="no model version in service; 'run_round shapes"):
        command(project.slug)
    with pytest.raises(CommandError, match="there is no project 'nowhere'"):
        command("nowhere")
    with pytest.raises(CommandError, match="--limit -1"):
        command(project.slug, "--limit", "-1")
