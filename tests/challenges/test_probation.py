"""Whose answers tell nothing: no question is wasted on them, and they are told nothing of it."""

from datetime import timedelta
from random import Random

import pytest
from django.test import Client
from django.utils import timezone

from labelhub.annotators.models import Annotator
from labelhub.annotators.services import note_who_counts
from labelhub.annotators.skill import Skill
from labelhub.challenges.issuing import PROBATION
from labelhub.challenges.models import Challenge, Report, Tile
from labelhub.challenges.refusals import NothingToAsk
from labelhub.challenges.reporting import Reported
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import Project
from labelhub.rounds.models import Candidate
from tests.challenges.given import SCRIPT, address, best_as_choices, class_of, right_places
from tests.factories import NOON, reread, shapes_project, visitor

pytestmark = pytest.mark.django_db


def reasons(challenge) -> set[str]:
    return set(challenge.tiles.values_list("reason", flat=True))


def silenced(annotator: Annotator) -> Annotator:
    note_who_counts(project=annotator.project, silent=[annotator.pk])
    return reread(annotator)


def test_oskar_whose_votes_weigh_nothing_is_asked_only_what_is_known() -> None:
    oskar = silenced(visitor(shapes_project()))
    issued = issue_challenge(annotator=oskar, now=NOON, generator=Random(0))
    assert reasons(issued) == {Tile.Reason.GOLD}


@pytest.mark.parametrize("edge", [2, 3, 5])
@pytest.mark.parametrize("waited", [None, "circle"])
def test_his_grid_is_as_full_as_any_other_and_not_all_yes(edge: int, waited: str | None) -> None:
    project = shapes_project(images=120, gold_per_class=20, grid_edge=edge)
    Candidate.objects.filter(label_class__key=waited, queue="gold").update(
        asked_at=NOON - timedelta(days=1)
    )
    for seed in range(12):
        oskar = silenced(visitor(project))
        issued = issue_challenge(annotator=oskar, now=NOON, generator=Random(seed))
        assert reasons(issued) == {Tile.Reason.GOLD}
        assert issued.places == issued.tiles.count() == edge * edge
        assert 0 < len(right_places(issued)) < issued.places


def test_his_grid_is_full_where_gold_looks_alike_and_where_it_is_hardly_enough() -> None:
    project = shapes_project(gold_per_class=3)
    oskar = silenced(visitor(project))
    issued = issue_challenge(annotator=oskar, now=NOON, generator=Random(0))
    assert issued.places == 9  # all the Gold there is
    project = shapes_project(name="Bursts", images=120, gold_per_class=6)
    gold = project.candidates.filter(queue="gold").order_by("asked_at")
    burst = gold.values_list("pk", flat=True)[:8]
    Candidate.objects.filter(pk__in=list(burst)).update(fingerprint=-7)
    oskar = silenced(visitor(project))
    issued = issue_challenge(annotator=oskar, now=NOON, generator=Random(0))
    assert issued.places == 9


def test_he_gets_the_next_grid_only_after_a_while_and_hears_what_everybody_hears() -> None:
    oskar = silenced(visitor(shapes_project()))
    issued = issue_challenge(annotator=oskar, now=NOON, generator=Random(0))
    submit_answer(
        annotator=oskar, public_id=issued.public_id, selected=right_places(issued), now=NOON
    )
    with pytest.raises(NothingToAsk, match="every picture that is waiting"):
        issue_challenge(annotator=reread(oskar), now=NOON, generator=Random(0))
    later = NOON + PROBATION + timedelta(seconds=1)
    assert issue_challenge(annotator=reread(oskar), now=later, generator=Random(0)).pk > issued.pk


def test_who_failed_much_gold_needs_no_round_to_be_found_out() -> None:
    carla = visitor(shapes_project())
    Annotator.objects.filter(pk=carla.pk).update(
        graded_yes=10, graded_hits=5, graded_no=10, graded_false_alarms=5
    )
    issued = issue_challenge(annotator=reread(carla), now=NOON, generator=Random(0))
    assert reasons(issued) == {Tile.Reason.GOLD}


def test_a_newcomer_and_careful_ada_are_not_hopeless_but_who_always_says_yes_is() -> None:
    assert not Skill(0, 0, 0, 0).is_hopeless
    assert not Skill(10, 9, 10, 1).is_hopeless
    assert not Skill(3, 0, 3, 3).is_hopeless  # so little may be bad luck
    assert Skill(10, 10, 10, 10).is_hopeless
    assert Skill(10, 0, 10, 0).is_hopeless


def test_a_project_without_gold_asks_him_nothing() -> None:
    oskar = silenced(visitor(shapes_project(gold_per_class=0)))
    with pytest.raises(NothingToAsk):
        issue_challenge(annotator=oskar, now=NOON, generator=Random(0))


def shown(project: Project, *, silenced: bool) -> tuple[Client, Challenge]:
    """A visitor who pressed Start, whom the last Round believed or not, and their sheet."""
    client = Client()
    client.post(f"/p/{project.slug}/grid/")
    if silenced:
        Annotator.objects.update(counts=False)
        Challenge.objects.update(expires_at=timezone.now())  # what they had before is over
        client.post(f"/p/{project.slug}/grid/")
    return client, Challenge.objects.latest("pk")


@pytest.mark.parametrize("rightly", [True, False])
def test_whose_answers_tell_nothing_hears_what_those_hear_who_met_nothing_known(
    *, rightly: bool
) -> None:
    client, gold_alone = shown(shapes_project(gold_per_class=8), silenced=True)
    other, without_gold = shown(shapes_project(name="Other", gold_per_class=0), silenced=False)
    assert reasons(gold_alone) == {Tile.Reason.GOLD}
    body = {"selected": right_places(gold_alone) if rightly else []}
    to_them = client.post(address(gold_alone, "answer"), body, headers=SCRIPT).json()
    to_others = other.post(address(without_gold, "answer"), {}, headers=SCRIPT).json()
    for told, sheet in ((to_them, gold_alone), (to_others, without_gold)):
        assert (told["known"], told["right"], told["judged"]) == (0, 0, sheet.places)
        assert told["word"] == f"{sheet.places} pictures counted."
    assert to_them.keys() == to_others.keys()
    graded = Challenge.objects.get(pk=gold_alone.pk)
    assert graded.graded_yes + graded.graded_no == gold_alone.places, "it grades them all the same"


@pytest.mark.parametrize("believed_again", [True, False])
def test_no_page_tells_of_gold_alone_how_much_was_right(*, believed_again: bool) -> None:
    client, gold_alone = shown(shapes_project(gold_per_class=8), silenced=True)
    Annotator.objects.update(counts=believed_again)
    sent = client.post(address(gold_alone, "answer"), {"selected": right_places(gold_alone)})
    after = client.get(sent["Location"]).text if sent.status_code == 303 else sent.text
    for page in (after, client.get(address(gold_alone)).text):
        assert f"{gold_alone.places} pictures counted." in page
        assert "known one" not in page


@pytest.mark.parametrize("choices", [True, False])
def test_nor_does_a_sheet_that_was_at_hand_before(*, choices: bool) -> None:
    project = shapes_project(asks_choices=choices)
    carla = visitor(best_as_choices(project) if choices else project)
    issued = issue_challenge(annotator=carla, now=NOON, generator=Random(0))
    assert reasons(issued) != {Tile.Reason.GOLD}
    reply = submit_answer(
        annotator=silenced(carla),
        public_id=issued.public_id,
        selected=[class_of(issued)] if choices else right_places(issued),
        now=NOON,
    )
    assert (reply.judged, reply.known, reply.right) == (1 if choices else 9, 0, 0)


def test_who_reports_all_but_one_square_is_not_told_whether_that_one_is_known() -> None:
    ada = visitor(shapes_project())
    issued = issue_challenge(annotator=ada, now=NOON, generator=Random(0))
    gold = issued.tiles.filter(reason=Tile.Reason.GOLD)[0].place
    others = tuple(place for place in range(9) if place != gold)
    reply = submit_answer(
        annotator=ada,
        public_id=issued.public_id,
        selected=[],
        reported=Reported(others, Report.Reason.BROKEN),
        now=NOON,
    )
    assert (reply.judged, reply.known, reply.right) == (1, 0, 0)
