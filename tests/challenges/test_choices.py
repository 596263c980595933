"""Choices: one picture with all classes to choose from, and what its answer changes."""

import pytest

from labelhub.annotators.models import Annotator
from labelhub.challenges import composer
from labelhub.challenges.answering import Reply
from labelhub.challenges.models import Challenge, Report, Tile
from labelhub.challenges.refusals import BadAnswer, ChallengeSpent, NothingToAsk
from labelhub.challenges.reporting import NOTHING_REPORTED, Reported
from labelhub.challenges.services import issue_challenge, skip_challenge, submit_answer
from labelhub.projects.models import Project
from labelhub.rounds.models import Candidate
from labelhub.rounds.progress import count_progress
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.parameters import first_parameters, new_parameters
from labelhub.votes.questions import Costs
from tests.challenges.given import best_as_choices, class_of
from tests.factories import NOON, dice, reread, shapes_project, visitor

pytestmark = pytest.mark.django_db
OF_A_BROKEN_PICTURE = Reported((0,), Report.Reason.BROKEN)


@pytest.fixture
def project() -> Project:
    """Without Gold: every choice asks what is wanted."""
    return best_as_choices(shapes_project(gold_per_class=0, asks_choices=True))


@pytest.fixture
def gold_in_every_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "GOLD_SHARE_OF_CHOICES", 1.0)


def choice(annotator: Annotator, seed: int = 0) -> Challenge:
    challenge = issue_challenge(annotator=annotator, now=NOON, generator=dice(seed))
    assert challenge.form == Challenge.Form.CHOICE
    return challenge


def answer(
    annotator: Annotator,
    challenge: Challenge,
    *chosen: int,
    reported: Reported = NOTHING_REPORTED,
) -> Reply:
    return submit_answer(
        annotator=annotator,
        public_id=challenge.public_id,
        selected=chosen,
        reported=reported,
        now=NOON,
    )


def test_a_choice_asks_about_one_image_and_no_class(project: Project) -> None:
    challenge = choice(visitor(project))
    [tile] = challenge.tiles.all()
    assert (challenge.places, challenge.label_class) == (1, None)
    assert tile.reason == Tile.Reason.INFORMATION
    assert set(tile.numbers) == {"probability", "entropy", "priority"}


def test_two_choices_in_flight_never_ask_about_the_same_image(project: Project) -> None:
    asked = [choice(visitor(project), seed).tiles.get().image_id for seed in range(8)]
    assert len(set(asked)) == 8


@pytest.mark.parametrize(
    ("learned", "form"),
    [
        (Costs(tile=1.7, choice=4.2), Challenge.Form.GRID),  # a grid takes as long as four choices
        (Costs(tile=1.0, choice=9.0), Challenge.Form.CHOICE),  # as long as one
    ],
)
def test_a_grid_is_weighed_against_choices_by_the_times_learned_of_this_project(
    learned: Costs, form: str
) -> None:
    project = shapes_project(gold_per_class=0, asks_choices=True)
    first = project.candidates.filter(queue="open").earliest("pk")
    project.candidates.exclude(pk=first.pk).update(priority=0.2)
    Candidate.objects.filter(pk=first.pk).update(form="choice", priority=0.5)
    crowd = first_parameters(project=project, now=NOON).crowd
    new_parameters(project=project, crowd=crowd, costs=learned, now=NOON)
    count_progress(now=NOON)
    issued = issue_challenge(annotator=visitor(project), now=NOON, generator=dice())
    assert issued.form == form


def test_every_image_is_asked_whichever_form_it_is_best_asked_in() -> None:
    project = shapes_project(images=40, gold_per_class=1, asks_choices=True)
    some = project.candidates.filter(queue="open").values_list("pk", flat=True)[::2]
    Candidate.objects.filter(pk__in=list(some)).update(form="choice")
    assert images_seen_by_one_person(project) >= open_images(project)


def test_no_image_is_stranded_when_choices_are_switched_off(project: Project) -> None:
    Project.objects.update(asks_choices=False)
    ada = visitor(project)
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    assert challenge.form == Challenge.Form.GRID
    asked = challenge.tiles.filter(reason=Tile.Reason.INFORMATION)
    assert asked.count() >= 3  # wanted as they are, and not only drawn at random
    for tile in asked.select_related("image__candidate"):
        assert tile.image.candidate.label_class_id == challenge.label_class_id
    skip_challenge(annotator=ada, public_id=challenge.public_id, now=NOON)
    assert images_seen_by_one_person(project) >= open_images(project)


def open_images(project: Project) -> set[int]:
    queued = project.candidates.filter(queue=Candidate.Queue.OPEN)
    return set(queued.values_list("image_id", flat=True))


def images_seen_by_one_person(project: Project) -> set[int]:
    """Until nothing is left to ask."""
    ada = visitor(project)
    for seed in range(200):
        try:
            challenge = issue_challenge(annotator=reread(ada), now=NOON, generator=dice(seed))
        except NothingToAsk:
            return set(Tile.objects.filter(annotator=ada).values_list("image_id", flat=True))
        is_choice = challenge.form == Challenge.Form.CHOICE
        answer(ada, challenge, *([class_of(challenge)] if is_choice else []))
    raise AssertionError("there is always something left to ask")


def test_the_answer_is_one_vote_for_the_class_and_says_much(project: Project) -> None:
    ada = visitor(project)
    challenge = choice(ada)
    reply = answer(ada, challenge, class_of(challenge))
    vote = Vote.objects.get()
    assert (vote.kind, vote.answer, vote.label_class_id) == (
        Vote.Kind.CHOICE,
        True,
        class_of(challenge),
    )
    assert (reply.judged, reply.known) == (1, 0)
    consensus = Consensus.objects.get(image_id=vote.image_id)
    assert (consensus.label_class_id, consensus.humans) == (class_of(challenge), 1)
    assert consensus.confidence > 0.8
    challenge.refresh_from_db()
    assert challenge.answer == [class_of(challenge)]
    assert challenge.tiles.get().selected is None


def test_none_of_these_is_an_answer_too(project: Project) -> None:
    ada = visitor(project)
    challenge = choice(ada)
    none = project.label_classes.get(is_none=True)
    answer(ada, challenge, none.pk)
    assert Consensus.objects.get(image=challenge.tiles.get().image).label_class == none


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.usefixtures("gold_in_every_choice")
def test_gold_in_a_choice_grades_and_nobody_is_told(*, right: bool) -> None:
    ada = visitor(best_as_choices(shapes_project(asks_choices=True)))
    challenge = choice(ada)
    assert challenge.tiles.get().reason == Tile.Reason.GOLD
    reply = answer(ada, challenge, class_of(challenge, right=right))
    challenge.refresh_from_db()
    assert (challenge.graded, challenge.graded_yes) == (True, 1)
    assert challenge.graded_hits == reread(ada).graded_hits == int(right)
    assert (reply.judged, reply.known, reply.right) == (1, 0, 0)


@pytest.mark.usefixtures("gold_in_every_choice")
def test_careless_carla_is_never_known_good_by_choices_alone() -> None:
    project = shapes_project(images=200, gold_per_class=20, asks_choices=True)
    carla = visitor(best_as_choices(project))
    circle = carla.project.label_classes.get(key="circle").pk
    for seed in range(12):
        answer(carla, choice(carla, seed), circle)
        carla = reread(carla)
    assert 0 < carla.graded_hits < carla.graded_yes == 12


def test_the_same_answer_again_gets_the_stored_reply_and_another_one_is_refused(
    project: Project,
) -> None:
    ada = visitor(project)
    challenge = choice(ada)
    first = answer(ada, challenge, class_of(challenge))
    assert answer(reread(ada), challenge, class_of(challenge)) == first
    with pytest.raises(ChallengeSpent):
        answer(reread(ada), challenge, class_of(challenge, right=False))
    assert Vote.objects.count() == 1


def test_an_answer_names_one_class_of_this_project(project: Project) -> None:
    ada, other = visitor(project), shapes_project(name="Other").label_classes.all()[0]
    challenge = choice(ada)
    one, two = class_of(challenge), class_of(challenge, right=False)
    for chosen in ((), (one, two), (one, one), (other.pk,), (0,), (-1,), (10**30,)):
        with pytest.raises(BadAnswer):
            answer(ada, challenge, *chosen)
    challenge.refresh_from_db()
    assert challenge.state == Challenge.State.OPEN
    assert not Vote.objects.exists()


def test_a_reported_picture_is_no_vote_whatever_was_chosen(project: Project) -> None:
    for chosen in (True, False):
        ada = visitor(project)
        challenge = choice(ada)
        named = [class_of(challenge)] if chosen else []
        reply = answer(ada, challenge, *named, reported=OF_A_BROKEN_PICTURE)
        assert (reply.judged, reply.reported) == (0, 1)
        challenge.refresh_from_db()
        assert challenge.answer == []
        again = answer(reread(ada), challenge, reported=OF_A_BROKEN_PICTURE)
        assert again == reply
    assert Report.objects.count() == 2
    assert not Vote.objects.exists()


def test_a_skipped_choice_is_no_vote_and_frees_its_image(project: Project) -> None:
    ada = visitor(project)
    challenge = choice(ada)
    skip_challenge(annotator=ada, public_id=challenge.public_id, now=NOON)
    image = challenge.tiles.get().image
    assert Candidate.objects.get(image=image).leased_until <= NOON
    assert not Vote.objects.exists()
    with pytest.raises(ChallengeSpent):
        answer(ada, challenge, class_of(challenge))
