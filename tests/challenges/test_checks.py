"""Checks: what a settled image is asked again for, and what the answers say of the settled."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labelhub.challenges.checks import FEWEST, LevelError, settled_error
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.rounds.contradicted import AGAIN
from labelhub.rounds.models import Candidate
from labelhub.rounds.queueing import MANY_PEOPLE, exclude_image, mark_gold, requeue
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.services import NewVote, record_votes, retract_votes
from tests.challenges.given import right_places
from tests.factories import NOON, SHAPES, add_shapes, dice, shapes_project, true_key, visitor

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)
CHECK_BUDGET = 4

Says = Callable[[Image], str]


def shown(image: Image) -> str:
    return true_key(image)


def another(image: Image) -> str:
    return SHAPES[(SHAPES.index(true_key(image)) + 1) % 3]


def settled_project(*, images: int = 60, label: Says = shown, **settings: object) -> Project:
    """Three people named the class of every picture: all of them are settled."""
    project = shapes_project(images=images, gold_per_class=0, **settings)
    for _ in range(3):
        say(project, list(project.images.all()), label)
    assert not Consensus.objects.filter(settled=False).exists()
    return project


def say(project: Project, images: list[Image], label: Says, challenge: str = "c") -> None:
    """Somebody new names the class of each of the images."""
    classes = {row.key: row.pk for row in project.label_classes.all()}
    batch = record_votes(
        project=project,
        annotator=visitor(project),
        votes=[
            NewVote(image.pk, classes[label(image)], answer=True, kind=Vote.Kind.CHOICE)
            for image in images
        ],
        challenge=challenge,
        now=NOON if challenge == "c" else LATER,
    )
    requeue(project=project, batch=batch, release=True)


def checked(
    project: Project,
    answer: Says | None,
    *,
    count: int = 60,
    of: Sequence[Image] | None = None,
) -> None:
    """Somebody is asked again about the class of each of the images, and answers."""
    for image in project.images.order_by("pk")[:count] if of is None else of:
        known = image.consensus
        challenge = Challenge.objects.create(
            public_id=f"check {Challenge.objects.count()}",
            project=project,
            annotator=visitor(project),
            form=Challenge.Form.CHOICE,
            state=Challenge.State.ANSWERED if answer else Challenge.State.OPEN,
            places=1,
            issued_at=LATER,
            expires_at=LATER,
            spent_at=LATER if answer else None,
            answer=[0] if answer else None,
        )
        Tile.objects.create(
            challenge=challenge,
            annotator=challenge.annotator,
            image=image,
            place=0,
            reason=Tile.Reason.CHECK,
            numbers={"label": known.label_class_id, "confidence": known.confidence},
        )
        if answer:
            say(project, [image], answer, challenge.public_id)


def at(project: Project, level: float = 0.98) -> LevelError:
    [found] = [one for one in settled_error(project=project) if one.level == level]
    return found


# --- What is asked ------------------------------------------------------------------------------


def test_a_check_says_which_label_its_answer_will_measure() -> None:
    project = settled_project(check_share=1.0, random_share=0.0)
    challenge = issue_challenge(annotator=visitor(project), now=NOON, generator=dice())
    checks = challenge.tiles.filter(reason=Tile.Reason.CHECK).select_related("image__consensus")
    assert checks
    for tile in checks:
        known = tile.image.consensus
        assert tile.numbers["label"] == known.label_class_id
        assert tile.numbers["confidence"] == pytest.approx(known.confidence, abs=1e-6)


def test_a_label_that_is_sure_is_checked_too_where_chance_draws_it() -> None:
    """So that those are checked too that are nearly as sure, and not settled."""
    project = settled_project(check_share=0.0, random_share=1.0)
    challenge = issue_challenge(annotator=visitor(project), now=NOON, generator=dice())
    for tile in challenge.tiles.select_related("image__consensus"):
        own = tile.image.consensus.label_class_id == challenge.label_class_id
        assert (tile.reason == Tile.Reason.CHECK) == own == ("label" in tile.numbers)


def grids(project: Project) -> Iterator[Challenge]:
    """Grids of one visitor after another, an hour apart: nobody's pictures wait for an answer."""
    for seed in range(40):
        then = NOON + timedelta(hours=seed)
        yield issue_challenge(annotator=visitor(project), now=then, generator=dice(seed))


def check_of(project: Project, *, confirm: bool) -> Image:
    """A picture that a Check asks about, and the answer confirms its label or does not."""
    for challenge in grids(project):
        for tile in challenge.tiles.filter(reason=Tile.Reason.CHECK).select_related("image"):
            if tile.numbers["label"] == challenge.label_class_id:
                submit_answer(
                    annotator=challenge.annotator,
                    public_id=challenge.public_id,
                    selected=[tile.place] if confirm else [],
                    now=challenge.issued_at,
                )
                return tile.image
    raise AssertionError("no Check in forty grids")


def test_a_check_that_contradicts_its_label_is_followed_by_another_at_once() -> None:
    """One answer against a label is a slip more often than not: the next one tells."""
    project = settled_project(check_share=0.3, random_share=0.0)
    image = check_of(project, confirm=False)
    assert Consensus.objects.get(image=image).settled
    queued = Candidate.objects.get(image=image)
    assert queued.priority == AGAIN == Candidate.objects.order_by("-priority")[0].priority
    assert queued.label_class.key == true_key(image)
    challenge = next(
        grid for grid in grids(project) if grid.label_class_id == queued.label_class_id
    )
    tile = challenge.tiles.get(image=image)
    assert tile.reason == Tile.Reason.CHECK
    assert "label" not in tile.numbers  # it was not drawn, and measures nothing by itself


def test_a_check_that_confirms_its_label_is_followed_by_none() -> None:
    project = settled_project(check_share=0.3, random_share=0.0)
    image = check_of(project, confirm=True)
    assert Candidate.objects.get(image=image).priority < 1


def test_what_many_people_have_judged_is_not_checked_for_ever() -> None:
    project = settled_project(check_share=0.3, random_share=0.0)
    for _ in range(MANY_PEOPLE - 3):
        say(project, list(project.images.all()), shown)
    image = check_of(project, confirm=False)
    assert Candidate.objects.get(image=image).priority < 1


# --- What the answers say -----------------------------------------------------------------------


def test_before_a_check_is_answered_nothing_is_told() -> None:
    project = settled_project()
    checked(project, None)
    told = at(project)
    assert (told.images, told.answered, told.wrong) == (60, 0, None)
    assert told.settles
    assert told.claimed is not None
    assert 0 < told.claimed < 0.02


def test_a_project_that_has_not_begun_has_no_levels() -> None:
    assert settled_error(project=shapes_project(images=0)) == ()


def test_careful_ada_confirms_the_labels_and_few_of_them_can_be_wrong() -> None:
    project = settled_project()
    checked(project, shown)
    told = at(project)
    assert told.answered == 60
    assert told.wrong is not None
    assert told.wrong.share < 0.01
    assert told.wrong.high < 0.07


def test_labels_that_people_contradict_are_wrong_though_each_was_sure() -> None:
    """Three people called every fifth picture something else, and everybody after them does not."""

    def misled(image: Image) -> str:
        return another(image) if image.pk % 5 == 0 else shown(image)

    project = settled_project(images=150, label=misled)
    checked(project, shown, count=150)
    for _ in range(3):  # what is contradicted is asked about again
        say(project, list(Image.objects.filter(pk__in=misled_ones(project))), shown, "again")
    told = at(project)
    assert told.claimed is not None
    assert told.claimed < 0.01
    assert told.wrong is not None
    assert told.wrong.low < 0.2 < told.wrong.high
    assert told.wrong.low > 0.08


def misled_ones(project: Project) -> list[int]:
    return [pk for pk in project.images.values_list("pk", flat=True) if pk % 5 == 0]


def test_what_was_said_before_the_check_is_no_evidence_for_it() -> None:
    """At noon one person says something else; the Checks are an hour later."""
    project = settled_project()
    checked(project, shown)
    before = at(project).wrong
    say(project, list(project.images.all()[:1]), another)
    assert at(project).answered == 60
    assert at(project).wrong == before


def test_a_vote_that_was_taken_back_and_an_excluded_picture_say_nothing() -> None:
    project = settled_project()
    checked(project, shown)
    slip, bad = project.images.order_by("pk")[:2]
    votes = Vote.objects.filter(image=slip, challenge__startswith="check")
    retract_votes(votes=votes, reason="a slip", retracted_by_id=None, now=LATER)
    exclude_image(image=bad)
    assert at(project).answered == 58


def test_gold_that_is_declared_after_a_check_is_the_last_word() -> None:
    project = settled_project()
    checked(project, shown)
    wrong = list(project.images.order_by("pk")[:6])
    classes = {row.key: row for row in LabelClass.objects.filter(project=project)}
    mark_gold(
        project=project,
        gold={image.pk: classes[another(image)] for image in wrong},
        source=Gold.Source.ADMIN,
        created_by_id=None,
        now=LATER,
    )
    told = at(project)
    assert told.images == 54  # Gold is certain: it is not among the labels
    assert told.wrong is not None
    assert told.wrong.low < 6 / 60 < told.wrong.high
    assert told.wrong.share > 0.04


def test_few_answers_tell_no_share() -> None:
    project = settled_project()
    checked(project, shown, count=FEWEST - 1)
    assert (at(project).answered, at(project).wrong) == (FEWEST - 1, None)


def test_a_level_is_measured_only_where_somebody_was_asked_about_all_of_it() -> None:
    """Of twenty pictures people are a little less sure: a label that does not settle."""
    project = settled_project(images=40)
    surest = list(project.images.all())
    add_shapes(project, count=20, start=40)
    less_sure = list(project.images.exclude(pk__in=[image.pk for image in surest]))
    circle, none = project.label_classes.get(key="circle"), project.label_classes.get(is_none=True)
    for asked, answer in ((circle, True), (none, False)):
        votes = [NewVote(image.pk, asked.pk, answer) for image in less_sure]
        record_votes(
            project=project, annotator=visitor(project), votes=votes, challenge="c", now=NOON
        )
    found = Consensus.objects.filter(image__in=less_sure)
    assert all(0.95 <= one.confidence < 0.98 for one in found)
    checked(project, shown, of=surest)
    assert (at(project, 0.95).images, at(project, 0.98).images) == (60, 40)
    assert at(project, 0.98).wrong is not None
    assert at(project, 0.95).wrong is None
    checked(project, lambda image: "circle", of=less_sure[:3])
    assert at(project, 0.95).wrong is None  # three would speak for twenty
    checked(project, lambda image: "circle", of=less_sure[3:])
    assert at(project, 0.95).answered == 60
    assert at(project, 0.95).wrong is not None


def test_the_projects_own_threshold_is_a_level_and_counts_its_people() -> None:
    project = settled_project()
    project.settle_threshold, project.min_humans = 0.9, 4
    levels = {one.level: one for one in settled_error(project=project)}
    assert [level for level, one in levels.items() if one.settles] == [0.9]
    assert sorted(levels) == [0.9, 0.95, 0.98, 0.995]
    assert {one.images for one in levels.values()} == {0}  # three people are not four


def test_the_label_that_is_measured_has_not_heard_the_check_nor_what_followed() -> None:
    project = settled_project()
    checked(project, another)
    for _ in range(6):
        say(project, list(project.images.all()), another, "again")
    said = set(Consensus.objects.values_list("image__name", "label_class__key"))
    assert not any(name.startswith(key) for name, key in said)  # people have changed every label
    told = at(project)
    assert told.wrong is not None
    assert told.wrong.low > 0.5


def test_through_the_real_door_a_check_is_counted_once_it_is_answered() -> None:
    project = settled_project(check_share=1.0, random_share=0.0)
    ada = visitor(project)
    challenge = issue_challenge(annotator=ada, now=LATER, generator=dice())
    checks = challenge.tiles.filter(reason=Tile.Reason.CHECK).count()
    assert at(project).answered == 0
    submit_answer(
        annotator=ada,
        public_id=challenge.public_id,
        selected=right_places(challenge),
        now=LATER,
    )
    assert at(project).answered == checks > 0


def test_the_error_costs_as_much_with_twenty_checks_as_with_sixty() -> None:
    project = settled_project()
    costs = []
    for count in (20, 60):
        Tile.objects.all().delete()
        checked(project, shown, count=count)
        with CaptureQueriesContext(connection) as queries:
            settled_error(project=project)
        costs.append(len(queries))
    assert costs == [CHECK_BUDGET, CHECK_BUDGET]


@pytest.mark.skipif(
    connection.vendor != "sqlite", reason="a planner with statistics chooses freely"
)
def test_checks_are_found_by_their_index() -> None:
    project = settled_project()
    with CaptureQueriesContext(connection) as queries:
        settled_error(project=project)
    [reading] = [query["sql"] for query in queries if "reason = 'check'" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + reading.replace("%", "%%"))
        steps = [row[3] for row in cursor.fetchall()]
    assert any("check_by_age" in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps
