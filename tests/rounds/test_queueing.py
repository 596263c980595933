"""Where an image waits, and for which question."""

from hashlib import sha256

import pytest

from labelhub.challenges.composer import HOLDOUT_SHARE
from labelhub.challenges.models import Tile
from labelhub.challenges.refusals import NothingToAsk
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import Gold, Image, Project
from labelhub.projects.services import NewImage, add_images
from labelhub.rounds.holdout import top_up_holdout
from labelhub.rounds.models import Candidate
from labelhub.rounds.places import LATER, QueuePlace, one_of_each_look
from labelhub.rounds.queueing import MANY_PEOPLE, mark_gold, open_for_labelling, requeue
from labelhub.votes.services import NewVote, record_votes, refresh_consensus
from tests.factories import NOON, dice, shapes_project, true_key, visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = shapes_project(images=300)
    top_up_holdout(project=project, now=NOON)
    return project


def say(project: Project, image: Image, *, answer: bool) -> None:
    """One more person's word on whether the image is what it is."""
    label_class = project.label_classes.get(key=true_key(image))
    batch = record_votes(
        project=project,
        annotator=visitor(project),
        votes=[NewVote(image.pk, label_class.pk, answer=answer)],
        challenge="c",
        now=NOON,
    )
    requeue(project=project, batch=batch, release=True)


def in_turn(project: Project) -> list[int]:
    waiting = Candidate.objects.filter(project=project, queue=Candidate.Queue.HOLDOUT)
    return list(waiting.order_by("-priority").values_list("image_id", flat=True))


def test_the_holdout_is_finished_one_image_after_the_other(project: Project) -> None:
    first, second = (Image.objects.get(pk=pk) for pk in in_turn(project)[:2])
    say(project, first, answer=True)
    assert in_turn(project)[0] == first.pk, "one vote says too little to measure a network by"
    say(project, first, answer=True)
    say(project, first, answer=True)
    assert first.consensus.settled
    assert in_turn(project)[0] == second.pk
    assert in_turn(project)[-1] == first.pk


@pytest.mark.parametrize("acquisition", ["information", "entropy", "margin"])
def test_before_anything_is_known_images_are_asked_from_all_over_the_import(acquisition) -> None:
    project = shapes_project(name="New", images=300, gold_per_class=0, acquisition=acquisition)
    waiting = Candidate.objects.filter(project=project).order_by("-priority")
    firsts = sorted(waiting.values_list("image_id", flat=True)[:20])
    start = project.images.earliest("pk").pk
    tenths = {(image - start) // 30 for image in firsts}
    assert len(tenths) >= 9


def test_an_image_of_the_holdout_that_people_disagree_about_holds_up_no_other(
    project: Project,
) -> None:
    Project.objects.update(settle_threshold=0.9999)
    first = Image.objects.get(pk=in_turn(project)[0])
    for number in range(MANY_PEOPLE):
        assert in_turn(project)[0] == first.pk
        say(project, first, answer=number % 2 == 0)
    first.consensus.refresh_from_db()
    assert not first.consensus.settled
    assert in_turn(project)[-1] == first.pk


def test_the_order_of_the_holdout_says_nothing_about_classes(project: Project) -> None:
    firsts = Image.objects.in_bulk(in_turn(project)[:18])
    assert len({true_key(image) for image in firsts.values()}) == 3


def test_a_grid_asks_of_the_holdout_its_share_and_only_what_it_is_best_asked(
    project: Project,
) -> None:
    asked = 0
    for seed in range(20):
        challenge = issue_challenge(annotator=visitor(project), now=NOON, generator=dice(seed))
        for tile in challenge.tiles.filter(reason=Tile.Reason.HOLDOUT):
            asked += 1
            assert tile.image.candidate.label_class_id == challenge.label_class_id
    assert 1 / 3 < asked / (20 * 9 * HOLDOUT_SHARE) < 3


def test_a_holdout_that_alone_is_left_is_asked_to_its_end(project: Project) -> None:
    Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN).delete()
    ada, held = visitor(project), set(in_turn(project))
    for seed in range(100):
        try:
            challenge = issue_challenge(annotator=ada, now=NOON, generator=dice(seed))
        except NothingToAsk:
            break
        submit_answer(annotator=ada, public_id=challenge.public_id, selected=[], now=NOON)
    assert held
    assert held <= set(Tile.objects.filter(annotator=ada).values_list("image_id", flat=True))


def test_a_picture_marked_gold_while_a_grid_holds_it_is_at_once_anyones_gold() -> None:
    project = shapes_project(gold_per_class=1)
    challenge = issue_challenge(annotator=visitor(project), now=NOON, generator=dice())
    held = [tile.image for tile in challenge.tiles.exclude(reason=Tile.Reason.GOLD)]
    classes = {row.key: row for row in project.label_classes.all()}
    mark_gold(
        project=project,
        gold={image.pk: classes[true_key(image)] for image in held},
        source=Gold.Source.ADMIN,
        created_by_id=None,
        now=NOON,
    )
    for seed in range(8):
        assert issue_challenge(annotator=visitor(project), now=NOON, generator=dice(seed))


def test_a_grid_of_four_still_asks_something() -> None:
    project = shapes_project(grid_edge=2)
    for seed in range(15):
        grid = issue_challenge(annotator=visitor(project), now=NOON, generator=dice(seed))
        assert grid.tiles.exclude(reason=Tile.Reason.GOLD).exists()
        assert grid.tiles.filter(reason=Tile.Reason.GOLD).exists()


def burst_of(project: Project, count: int) -> list[Image]:
    """Open images that look alike, and one more that does not."""
    pictures = [
        NewImage(sha256(f"burst {number}".encode()).hexdigest(), "circle-1.png", 32, 32, look)
        for number, look in enumerate([*range(count), -1])
    ]
    images = add_images(project=project, pictures=pictures, now=NOON).added
    open_for_labelling(project=project, images=images, gold={}, now=NOON)
    return images


def put_off(images: list[Image]) -> list[Image]:
    """Those that are wanted much less than the most wanted."""
    wanted = dict(Candidate.objects.filter(image__in=images).values_list("image_id", "priority"))
    return [image for image in images if wanted[image.pk] < 2 * LATER * max(wanted.values())]


def ranked_again(project: Project, images: list[Image]) -> None:
    batch = refresh_consensus(images=[image.pk for image in images], now=NOON)
    requeue(project=project, batch=batch, release=False)


def test_while_one_of_a_burst_is_open_the_others_of_it_wait() -> None:
    project = shapes_project(images=3, gold_per_class=0)
    images = burst_of(project, 5)
    *burst, other = images
    late = put_off(images)
    assert len(late) == 4
    assert other not in late
    ranked_again(project, images)
    assert len(put_off(images)) == 4
    for _ in range(3):
        [asked] = set(burst) - set(put_off(images))
        for _ in range(2):  # an answer leaves the others waiting
            say(project, asked, answer=True)
            assert set(burst) - {asked} <= set(put_off(images))
        asked.consensus.refresh_from_db()
        assert asked.consensus.settled
        burst.remove(asked)
        ranked_again(project, images)
        waiting = set(burst) & set(put_off(images))
        assert len(waiting) == len(burst) - 1, "the next one is asked"


def test_the_last_images_of_a_burst_are_still_asked_in_the_end() -> None:
    project = shapes_project(images=0, gold_per_class=0)
    images = burst_of(project, 3)
    asked = set()
    for seed in range(3):
        ada = visitor(project)
        challenge = issue_challenge(annotator=ada, now=NOON, generator=dice(seed))
        asked |= set(challenge.tiles.values_list("image_id", flat=True))
    assert asked == {image.pk for image in images}


def test_what_is_contested_or_held_out_is_not_put_off_for_its_looks() -> None:
    place = QueuePlace(
        queue=Candidate.Queue.OPEN,
        form=Candidate.Form.GRID,
        settled=False,
        label_class_id=1,
        priority=0.5,
        probability=0.3,
        entropy=1.0,
        score=0.0,
        leased_until=NOON,
        image_id=1,
    )
    kept = [
        place,
        place._replace(image_id=2, priority=-1.0),
        place._replace(image_id=3, queue=Candidate.Queue.HOLDOUT, priority=100.1),
        place._replace(image_id=4, settled=True),
        place._replace(image_id=5),
    ]
    looks = {1: 0, 2: 0, 3: 0, 4: 0}  # the last has none
    assert one_of_each_look(kept, looks) == kept
    assert one_of_each_look(kept, {**looks, 5: 1})[-1].priority == 0.5 * LATER
