"""Issuing a grid and taking its answer."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labelhub.annotators.models import Annotator
from labelhub.challenges.answering import Reply
from labelhub.challenges.issuing import PROBATION
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.refusals import (
    AnnotatorPaused,
    BadAnswer,
    ChallengeExpired,
    ChallengeNotFound,
    ChallengeSpent,
    NothingToAsk,
    ProjectPaused,
)
from labelhub.challenges.services import (
    issue_challenge,
    skip_challenge,
    submit_answer,
    submit_answer_and_issue,
)
from labelhub.rounds.models import Candidate
from labelhub.votes.models import Consensus, Vote
from tests.factories import (
    NOON,
    add_copies,
    add_shapes,
    dice,
    reread,
    shapes_project,
    true_key,
    visitor,
)

pytestmark = pytest.mark.django_db


def right_places(challenge: Challenge) -> list[int]:
    assert challenge.label_class is not None
    return [
        tile.place
        for tile in challenge.tiles.select_related("image")
        if true_key(tile.image) == challenge.label_class.key
    ]


def answer_rightly(annotator: Annotator, challenge: Challenge) -> Reply:
    return submit_answer(
        annotator=annotator,
        public_id=challenge.public_id,
        selected=right_places(challenge),
        now=NOON,
    )


def data_statements(queries: CaptureQueriesContext) -> list[str]:
    control = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")
    return [q["sql"] for q in queries if not q["sql"].startswith(control)]


def test_a_grid_has_nine_different_images_and_gold_of_both_kinds_for_a_stranger() -> None:
    challenge = issue_challenge(annotator=visitor(shapes_project()), now=NOON, generator=dice())
    tiles = list(challenge.tiles.select_related("image__gold"))
    assert [tile.place for tile in tiles] == list(range(9))
    assert len({tile.image_id for tile in tiles}) == 9
    gold = [t.image.gold.label_class_id for t in tiles if t.reason == Tile.Reason.GOLD]
    assert challenge.label_class_id in gold
    assert any(label_class != challenge.label_class_id for label_class in gold)


def test_every_tile_says_why_it_was_asked_with_the_numbers() -> None:
    challenge = issue_challenge(annotator=visitor(shapes_project()), now=NOON, generator=dice())
    for tile in challenge.tiles.all():
        assert tile.reason in Tile.Reason.values
        assert set(tile.numbers) == {"probability", "entropy", "priority"}


def test_an_answer_becomes_one_vote_a_tile_and_a_consensus() -> None:
    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    reply = answer_rightly(ada, challenge)
    assert reply.judged == 9
    assert reply.known == reply.right > 0
    challenge.refresh_from_db()
    votes = {vote.image_id: vote.answer for vote in Vote.objects.filter(annotator=ada)}
    selected = {tile.image_id: tile.selected for tile in challenge.tiles.all()}
    assert votes == selected
    assert Consensus.objects.filter(image_id__in=votes, humans=1).count() == 9


def test_the_same_answer_again_gets_the_stored_reply_and_adds_nothing() -> None:
    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    first = answer_rightly(ada, challenge)
    again = answer_rightly(reread(ada), challenge)
    assert again == first
    assert Vote.objects.count() == 9


def test_another_answer_to_a_spent_grid_is_refused_and_adds_nothing() -> None:
    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    answer_rightly(ada, challenge)
    other = [place for place in range(9) if place not in right_places(challenge)]
    with pytest.raises(ChallengeSpent):
        submit_answer(annotator=ada, public_id=challenge.public_id, selected=other, now=NOON)
    assert Vote.objects.count() == 9


def test_a_late_answer_is_refused_and_adds_nothing() -> None:
    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    with pytest.raises(ChallengeExpired):
        submit_answer(
            annotator=ada, public_id=challenge.public_id, selected=[], now=challenge.expires_at
        )
    assert Vote.objects.count() == 0


@pytest.mark.parametrize("selected", [[-1], [9], [0, 0], [3, 99]])
def test_an_answer_with_places_the_grid_does_not_have_is_refused(selected: list[int]) -> None:
    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    with pytest.raises(BadAnswer):
        submit_answer(annotator=ada, public_id=challenge.public_id, selected=selected, now=NOON)
    challenge.refresh_from_db()
    assert challenge.state == Challenge.State.OPEN
    assert Vote.objects.count() == 0


def test_outsider_oskar_cannot_answer_adas_grid() -> None:
    project = shapes_project()
    ada, oskar = visitor(project), visitor(project)
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    with pytest.raises(ChallengeNotFound):
        submit_answer(annotator=oskar, public_id=challenge.public_id, selected=[], now=NOON)
    with pytest.raises(ChallengeNotFound):
        skip_challenge(annotator=oskar, public_id=challenge.public_id, now=NOON)
    assert Vote.objects.count() == 0


def test_a_skipped_grid_counts_as_no_vote_and_frees_its_images() -> None:
    ada = visitor(shapes_project())
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    skip_challenge(annotator=ada, public_id=challenge.public_id, now=NOON)
    assert Vote.objects.count() == 0
    images = challenge.tiles.values("image_id")
    assert not Candidate.objects.filter(image_id__in=images, leased_until__gt=NOON).exists()
    with pytest.raises(ChallengeSpent):
        submit_answer(annotator=ada, public_id=challenge.public_id, selected=[], now=NOON)


def test_two_grids_in_flight_never_ask_about_the_same_open_image() -> None:
    project = shapes_project(images=120)
    asked: set[int] = set()
    for seed in range(6):
        challenge = issue_challenge(annotator=visitor(project), now=NOON, generator=dice(seed))
        open_images = set(
            challenge.tiles.exclude(reason=Tile.Reason.GOLD).values_list("image_id", flat=True)
        )
        assert not asked & open_images
        asked |= open_images


def test_an_expired_grid_gives_its_images_back_to_others() -> None:
    project = shapes_project(images=9, gold_per_class=0)
    first = issue_challenge(annotator=visitor(project), now=NOON, generator=dice())
    bob = visitor(project)
    with pytest.raises(NothingToAsk):
        issue_challenge(annotator=bob, now=NOON, generator=dice())
    later = first.expires_at + timedelta(seconds=1)
    assert issue_challenge(annotator=bob, now=later, generator=dice()).tiles.count() == 9


def test_an_annotator_never_sees_an_image_twice_until_nothing_is_left() -> None:
    ada = visitor(shapes_project(images=50, gold_per_class=3))
    seen: list[int] = []

    def answer_all_there_is() -> None:
        for seed in range(100):
            challenge = issue_challenge(annotator=reread(ada), now=NOON, generator=dice(seed))
            seen.extend(challenge.tiles.values_list("image_id", flat=True))
            answer_rightly(ada, challenge)

    with pytest.raises(NothingToAsk, match="seen every picture"):
        answer_all_there_is()
    assert len(seen) == len(set(seen))
    open_images = set(
        Candidate.objects.exclude(queue=Candidate.Queue.GOLD).values_list("image_id", flat=True)
    )
    assert open_images <= set(seen)


def test_reloading_gives_the_same_grid_and_the_next_one_is_another() -> None:
    ada = visitor(shapes_project())
    first = issue_challenge(annotator=ada, now=NOON, generator=dice(1))
    assert issue_challenge(annotator=ada, now=NOON, generator=dice(2)) == first
    ahead = issue_challenge(annotator=ada, now=NOON, generator=dice(3), keep=first.public_id)
    assert ahead != first
    again = issue_challenge(annotator=ada, now=NOON, generator=dice(4), keep=first.public_id)
    assert again == ahead


def test_a_grid_with_seconds_to_live_is_not_given_again() -> None:
    ada = visitor(shapes_project())
    first = issue_challenge(annotator=ada, now=NOON, generator=dice(1))
    soon = first.expires_at - timedelta(seconds=61)
    assert issue_challenge(annotator=ada, now=soon, generator=dice(2)) == first
    late = first.expires_at - timedelta(seconds=60)
    fresh = issue_challenge(annotator=ada, now=late, generator=dice(3))
    assert fresh != first
    assert fresh.expires_at - late > timedelta(minutes=10)


def test_a_grid_that_lives_a_minute_is_given_again_for_the_first_half_of_it() -> None:
    ada = visitor(shapes_project(challenge_minutes=1))
    first = issue_challenge(annotator=ada, now=NOON, generator=dice(1))
    soon, late = NOON + timedelta(seconds=29), NOON + timedelta(seconds=30)
    assert issue_challenge(annotator=ada, now=soon, generator=dice(2)) == first
    assert issue_challenge(annotator=ada, now=late, generator=dice(3)) != first


def test_a_paused_project_serves_no_grid() -> None:
    project = shapes_project(status="paused")
    with pytest.raises(ProjectPaused):
        issue_challenge(annotator=visitor(project), now=NOON, generator=dice())


def test_a_paused_annotator_gets_no_grid_and_adds_no_vote() -> None:
    carla = visitor(shapes_project())
    challenge = issue_challenge(annotator=carla, now=NOON, generator=dice())
    Annotator.objects.filter(pk=carla.pk).update(paused=True)
    with pytest.raises(AnnotatorPaused):
        issue_challenge(annotator=reread(carla), now=NOON, generator=dice())
    with pytest.raises(AnnotatorPaused):
        submit_answer(annotator=reread(carla), public_id=challenge.public_id, selected=[], now=NOON)
    assert Vote.objects.count() == 0


def test_a_project_without_images_says_so() -> None:
    with pytest.raises(NothingToAsk, match="no pictures yet"):
        issue_challenge(annotator=visitor(shapes_project(images=0)), now=NOON, generator=dice())


def test_a_project_without_gold_still_serves_grids_and_grades_nobody() -> None:
    ada = visitor(shapes_project(gold_per_class=0))
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    assert answer_rightly(ada, challenge).known == 0


def test_careful_ada_is_known_good_after_some_grids_and_then_graded_less_often() -> None:
    ada = visitor(shapes_project(images=300, gold_per_class=20, graded_share=0.0))
    for seed in range(10):
        challenge = issue_challenge(annotator=ada, now=NOON, generator=dice(seed))
        answer_rightly(ada, challenge)
        ada = reread(ada)
    assert ada.graded_hits == ada.graded_yes > 0
    assert ada.graded_false_alarms == 0
    last = issue_challenge(annotator=ada, now=NOON, generator=dice(99))
    assert not last.tiles.filter(reason=Tile.Reason.GOLD).exists()


def test_careless_carla_who_selects_all_is_never_known_good() -> None:
    carla = visitor(shapes_project(images=300, gold_per_class=20))
    for seed in range(10):
        now = NOON + seed * PROBATION  # found out after a few grids, she waits for the next
        challenge = issue_challenge(annotator=carla, now=now, generator=dice(seed))
        everything = range(challenge.places)
        reply = submit_answer(
            annotator=carla, public_id=challenge.public_id, selected=everything, now=now
        )
        assert reply.right < reply.known or not reply.known  # found out, she is told no more
        carla = reread(carla)
    assert carla.graded_false_alarms == carla.graded_no > 0


@pytest.mark.parametrize("images", [1000, 100_000])
def test_a_grid_takes_six_queries_and_its_answer_fourteen_at_any_size(images: int) -> None:
    project = shapes_project(images=1000)
    add_copies(project, count=images - 1000)
    ada = visitor(project)
    warm = issue_challenge(annotator=ada, now=NOON, generator=dice())
    answer_rightly(ada, warm)
    with CaptureQueriesContext(connection) as issuing:
        challenge = issue_challenge(annotator=reread(ada), now=NOON, generator=dice(1))
    places = right_places(challenge)
    with CaptureQueriesContext(connection) as answering:
        submit_answer(
            annotator=reread(ada), public_id=challenge.public_id, selected=places, now=NOON
        )
    with CaptureQueriesContext(connection) as both:
        going_on = reread(ada)
        grid = issue_challenge(annotator=going_on, now=NOON, generator=dice(2))
        submit_answer_and_issue(
            annotator=going_on,
            public_id=grid.public_id,
            selected=right_places(grid),
            now=NOON,
            generator=dice(3),
        )
    assert len(data_statements(issuing)) <= 6
    assert len(data_statements(answering)) <= 14
    assert len(data_statements(both)) <= 6 + 14 + 6


def test_new_images_join_the_queues_of_a_running_project() -> None:
    project = shapes_project(images=9, gold_per_class=0)
    add_shapes(project, count=9, start=9)
    assert Candidate.objects.filter(project=project).count() == 18
