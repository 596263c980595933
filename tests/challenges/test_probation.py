"""Whose answers tell nothing: no question is wasted on them, and they are told nothing of it."""

from datetime import timedelta
from random import Random

import pytest

from labelhub.annotators.models import Annotator
from labelhub.annotators.services import note_who_counts
from labelhub.annotators.skill import Skill
from labelhub.challenges.issuing import PROBATION
from labelhub.challenges.models import Tile
from labelhub.challenges.refusals import NothingToAsk
from labelhub.challenges.services import issue_challenge, submit_answer
from tests.challenges.given import right_places
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
