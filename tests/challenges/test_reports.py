"""Bad pictures: what a report leaves out, when a picture leaves the queues, what admins decide."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labelhub.annotators.models import Annotator
from labelhub.challenges import reporting
from labelhub.challenges.answering import Reply
from labelhub.challenges.models import Challenge, Report, Tile
from labelhub.challenges.refusals import BadAnswer, ChallengeNotFound, ChallengeSpent
from labelhub.challenges.reporting import Reported, decide
from labelhub.challenges.services import issue_challenge, skip_challenge, submit_answer
from labelhub.projects.models import Image, Project
from labelhub.projects.selectors import catalogue, example_picture
from labelhub.projects.services import add_examples
from labelhub.rounds.models import Candidate
from labelhub.rounds.progress import count_progress
from labelhub.rounds.selectors import images_with_news, trainable_images
from labelhub.votes.models import Consensus, Vote
from tests.factories import NOON, dice, reread, shapes_project, visitor

pytestmark = pytest.mark.django_db
BROKEN = Report.Reason.BROKEN


@pytest.fixture
def nine() -> Project:
    """Nine open pictures: every grid shows them all."""
    return shapes_project(images=9, gold_per_class=0)


def grid(annotator: Annotator) -> Challenge:
    return issue_challenge(annotator=annotator, now=NOON, generator=dice())


def answer(
    annotator: Annotator,
    challenge: Challenge,
    *,
    selected: tuple[int, ...] = (),
    bad: tuple[int, ...] = (),
    reason: str = BROKEN,
) -> Reply:
    return submit_answer(
        annotator=annotator,
        public_id=challenge.public_id,
        selected=selected,
        reported=Reported(bad, reason),
        now=NOON,
    )


def place_of(challenge: Challenge, image: Image) -> int:
    return challenge.tiles.get(image=image).place


def report(project: Project, image: Image) -> Annotator:
    """Somebody new sees the picture and reports it."""
    person = visitor(project)
    challenge = grid(person)
    answer(person, challenge, bad=(place_of(challenge, image),))
    return person


def reported_by(people: int, project: Project) -> Image:
    """A picture that so many different people have reported."""
    image = project.images.order_by("pk")[0]
    for _ in range(people):
        report(project, image)
    return image


def test_a_reported_square_is_no_vote_and_the_others_count_as_ever(nine: Project) -> None:
    ada = visitor(nine)
    challenge = grid(ada)
    reply = answer(ada, challenge, selected=(0, 3), bad=(3, 4))
    tiles = {tile.place: tile.image_id for tile in challenge.tiles.all()}
    votes = {vote.image_id: vote.answer for vote in Vote.objects.filter(annotator=ada)}
    assert votes == {tiles[n]: n == 0 for n in range(9) if n not in {3, 4}}
    assert (reply.judged, reply.reported) == (7, 2)
    challenge.refresh_from_db()
    assert challenge.answer == [0]
    rows = Report.objects.order_by("tile__place")
    assert [(row.tile.place, row.reason, row.annotator) for row in rows] == [
        (3, BROKEN, ada),
        (4, BROKEN, ada),
    ]
    assert Consensus.objects.filter(image_id__in=[tiles[3], tiles[4]], humans=0).count() == 2


def test_reported_gold_does_not_grade_the_person() -> None:
    ada = visitor(shapes_project())
    challenge = grid(ada)
    gold = tuple(challenge.tiles.filter(reason=Tile.Reason.GOLD).values_list("place", flat=True))
    assert len(gold) >= 2
    assert answer(ada, challenge, bad=gold).known == 0
    challenge.refresh_from_db()
    assert not challenge.graded
    assert reread(ada).graded_yes == reread(ada).graded_no == 0


def test_the_same_answer_with_the_same_reports_gets_the_stored_reply(nine: Project) -> None:
    ada = visitor(nine)
    challenge = grid(ada)
    first = answer(ada, challenge, selected=(1,), bad=(2, 5))
    again = answer(reread(ada), challenge, selected=(1,), bad=(5, 2))
    assert again == first
    assert Report.objects.count() == 2
    assert Vote.objects.count() == 7


@pytest.mark.parametrize(
    ("bad", "reason"), [((), BROKEN), ((2,), BROKEN), ((2, 5), Report.Reason.UNFIT)]
)
def test_the_same_answer_with_other_reports_is_another_answer(
    nine: Project, bad: tuple[int, ...], reason: str
) -> None:
    ada = visitor(nine)
    challenge = grid(ada)
    answer(ada, challenge, bad=(2, 5))
    with pytest.raises(ChallengeSpent):
        answer(ada, challenge, bad=bad, reason=reason)
    assert set(Report.objects.values_list("tile__place", "reason")) == {(2, BROKEN), (5, BROKEN)}


def test_a_grid_of_nothing_but_bad_pictures_is_an_answer_without_votes(nine: Project) -> None:
    ada = visitor(nine)
    challenge = grid(ada)
    assert answer(ada, challenge, bad=tuple(range(9))).judged == 0
    assert Report.objects.count() == 9
    assert not Vote.objects.exists()


def test_a_skipped_grid_reports_all_the_same_and_only_once(nine: Project) -> None:
    ada = visitor(nine)
    challenge = grid(ada)
    for _ in range(2):
        skip_challenge(
            annotator=ada,
            public_id=challenge.public_id,
            reported=Reported((7,), Report.Reason.UNCLEAR),
            now=NOON,
        )
    assert Report.objects.get().tile.place == 7
    assert not Vote.objects.exists()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [((9,), BROKEN), ((-1,), BROKEN), ((1, 1), BROKEN), ((1,), "ugly"), ((1,), "")],
)
def test_a_report_that_makes_no_sense_is_refused_with_its_answer(
    nine: Project, bad: tuple[int, ...], reason: str
) -> None:
    ada = visitor(nine)
    challenge = grid(ada)
    with pytest.raises(BadAnswer):
        answer(ada, challenge, bad=bad, reason=reason)
    challenge.refresh_from_db()
    assert challenge.state == Challenge.State.OPEN
    assert not Report.objects.exists()


def test_outsider_oskar_cannot_report_what_ada_sees(nine: Project) -> None:
    challenge = grid(visitor(nine))
    with pytest.raises(ChallengeNotFound):
        answer(visitor(nine), challenge, bad=(1,))
    assert not Report.objects.exists()


def test_a_picture_leaves_the_queues_when_two_people_report_it(nine: Project) -> None:
    image = reported_by(1, nine)
    candidate = Candidate.objects.get(image=image)  # one person's word is not enough
    assert candidate.leased_until <= NOON  # and others can be asked at once
    report(nine, image)
    assert not Candidate.objects.filter(image=image).exists()
    assert image.pk not in set(grid(visitor(nine)).tiles.values_list("image_id", flat=True))
    image.refresh_from_db()
    assert image.status == Image.Status.ACTIVE  # its votes stay: only an admin excludes


@pytest.mark.django_db(transaction=True)
def test_two_people_who_report_in_the_same_moment_are_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = shapes_project(images=9, gold_per_class=0)
    together, both_wrote = Barrier(2), Barrier(2)
    people, count = [], reporting._hold_back

    def count_late(*of: object) -> None:
        with suppress(BrokenBarrierError):  # as it should be: the other one waits for this one
            both_wrote.wait(timeout=1)
        count(*of)

    monkeypatch.setattr(reporting, "_hold_back", count_late)
    for _ in range(2):
        person = visitor(project)
        challenge = grid(person)
        people.append((person, challenge))
        Candidate.objects.update(leased_until=NOON)  # both look at it

    def say(number: int) -> None:
        person, challenge = people[number]
        try:
            together.wait()
            answer(person, challenge, bad=tuple(range(9)))  # no vote whose rows would be waited for
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as at_once:
        list(at_once.map(say, range(2)))
    assert Report.objects.count() == 18
    assert not Candidate.objects.exists()


def test_careless_carla_alone_takes_nothing_out(nine: Project) -> None:
    carla = visitor(nine)
    answer(carla, grid(carla), bad=tuple(range(9)))
    assert Candidate.objects.filter(project=nine).count() == 9


def test_made_up_visitors_cannot_empty_a_project(
    nine: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "HELD_LEAST", 2)
    for _ in range(4):
        carla = visitor(nine)
        challenge = grid(carla)
        answer(carla, challenge, bad=tuple(range(challenge.places)))
    assert Candidate.objects.filter(project=nine).count() == 7


def test_a_kept_picture_is_asked_about_again_and_its_reports_are_closed(nine: Project) -> None:
    image = reported_by(2, nine)
    boss = User.objects.create_user("boss")
    decide(image=image, decision=Report.Decision.KEPT, decided_by_id=boss.pk, now=NOON)
    assert Candidate.objects.get(image=image).queue == Candidate.Queue.OPEN
    assert set(Report.objects.values_list("decision", "decided_by", "decided_at")) == {
        ("kept", boss.pk, NOON)
    }
    report(nine, image)  # two closed reports and a new one are one
    assert Candidate.objects.filter(image=image).exists()


def exclude(image: Image) -> None:
    decide(image=image, decision=Report.Decision.EXCLUDED, decided_by_id=None, now=NOON)


def keep(image: Image) -> None:
    decide(image=image, decision=Report.Decision.KEPT, decided_by_id=None, now=NOON)


def test_an_excluded_picture_counts_nowhere_and_can_be_taken_back_in(nine: Project) -> None:
    ada = visitor(nine)
    challenge = grid(ada)
    answer(ada, challenge, selected=(0,))
    image = challenge.tiles.get(place=0).image
    queued = Candidate.objects.values().get(image=image)

    def counted() -> tuple[int, int, int]:
        count_progress(now=NOON)
        nine.progress.refresh_from_db()
        return nine.progress.images, trainable_images(project=nine), images_with_news(project=nine)

    assert counted() == (9, 9, 9)
    for _ in range(2):  # twice is no change
        exclude(image)
        assert counted() == (8, 8, 8)
        assert not Candidate.objects.filter(image=image).exists()
    for _ in range(2):
        keep(image)
        assert counted() == (9, 9, 9)
        back = Candidate.objects.values().get(image=image)
    for name in ("queue", "form", "settled", "label_class_id", "shuffle"):
        assert back[name] == queued[name]
    for name in ("priority", "probability", "entropy"):
        assert back[name] == pytest.approx(queued[name])  # sums in another order
    assert Vote.objects.count() == 9


def test_gold_and_holdout_come_back_into_their_own_queues() -> None:
    project = shapes_project()
    gold = project.images.filter(gold__isnull=False)[0]
    held = project.images.filter(gold__isnull=True)[0]
    Image.objects.filter(pk=held.pk).update(holdout=True)
    for image, queue in ((gold, Candidate.Queue.GOLD), (held, Candidate.Queue.HOLDOUT)):
        exclude(image)
        keep(image)
        back = Candidate.objects.get(image=image)
        assert back.queue == queue
    assert Candidate.objects.get(image=gold).label_class_id == gold.gold.label_class_id


def test_an_excluded_example_is_shown_no_more(nine: Project) -> None:
    circle = nine.label_classes.get(key="circle")
    image = nine.images.first()
    assert image is not None
    add_examples(label_class=circle, images=[image])

    def shown() -> tuple[tuple[int, ...], str | None]:
        nine.refresh_from_db()
        entry = catalogue(nine).entry(circle.pk)
        return entry.examples, example_picture(project_slug=nine.slug, image_id=image.pk)

    assert shown() == ((image.pk,), image.sha256)
    exclude(image)
    assert shown() == ((), None)
    keep(image)
    assert shown() == ((image.pk,), image.sha256)


def test_an_answer_without_reports_reads_and_writes_none(nine: Project) -> None:
    ada = visitor(nine)
    challenge = grid(ada)
    with CaptureQueriesContext(connection) as queries:
        answer(ada, challenge, selected=(1,))
    assert not any("challenges_report" in query["sql"] for query in queries)


def visit(project: Project) -> tuple[Client, str]:
    client = Client()
    client.post(f"/p/{project.slug}/grid/")
    return client, f"/p/{project.slug}/grid/{Challenge.objects.latest('pk').public_id}/"


def test_the_plain_form_reports_and_the_word_says_so(nine: Project) -> None:
    client, page = visit(nine)
    markup = client.get(page).text
    assert markup.count('name="reported"') == markup.count('name="selected"') == 9
    assert 'aria-label="Report picture 9 of 9"' in markup
    for words in ("Report a picture", "broken or blank", "not fit to be shown"):
        assert words in markup
    body = {"selected": [0], "reported": [4, 8], "reason": "unfit"}
    said = client.post(f"{page}answer", body, headers={"x-requested-with": "fetch"}).json()
    assert said["word"].startswith("7 pictures counted. 2 pictures reported.")
    assert (said["judged"], said["reported"]) == (7, 2)
    assert set(Report.objects.values_list("tile__place", "reason")) == {(4, "unfit"), (8, "unfit")}


def test_skipping_with_the_plain_form_keeps_the_reports(nine: Project) -> None:
    client, page = visit(nine)
    client.post(f"{page}skip", {"reported": [2], "reason": "broken"})
    assert Report.objects.get().tile.place == 2


@pytest.mark.parametrize(
    "body",
    [
        {"reported": ["x"], "reason": "broken"},
        {"reported": ["9"], "reason": "broken"},
        {"reported": ["1"]},
        {"reported": ["1"], "reason": "<b>"},
        {"reported": list("1" * 26), "reason": "broken"},
    ],
)
def test_a_report_out_of_range_is_400_and_the_grid_stays_open(
    nine: Project, body: dict[str, object]
) -> None:
    client, page = visit(nine)
    for verb in ("answer", "skip"):
        assert client.post(f"{page}{verb}", body).status_code == 400
    assert Challenge.objects.get().state == Challenge.State.OPEN
    assert not Report.objects.exists()
