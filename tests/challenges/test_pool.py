"""What a grid is drawn from is found by indexes, and what was issued may wait for the disk."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from labelhub.annotators.models import Annotator
from labelhub.challenges import answering, services
from labelhub.challenges.composer import Wishes, compose
from labelhub.challenges.issuing import Clash, plan_grid, write_grid
from labelhub.challenges.models import Challenge, Tile
from labelhub.challenges.plans import Plan
from labelhub.challenges.pool import Place, Pool, read_pool
from labelhub.challenges.services import (
    issue_challenge,
    submit_answer,
    submit_answer_and_issue,
)
from labelhub.projects.models import Image
from labelhub.rounds.models import Candidate
from labelhub.rounds.queueing import exclude_image, include_image, take_back_gold
from labelhub.votes.questions import Costs
from tests.factories import NOON, dice, shapes_project, visitor

only_sqlite = connections["default"].vendor == "sqlite"


def pool_for(annotator: Annotator, *, everywhere: bool = True, choices: bool = True) -> Pool:
    classes = annotator.project.label_classes.filter(is_none=False)
    return read_pool(
        project_id=annotator.project_id,
        annotator_id=annotator.pk,
        classes=[row.pk for row in classes],
        size=9,
        choices=choices,
        generator=dice(),
        now=NOON,
        everywhere=everywhere,
    )


PARTS = {  # the index that serves each part of a pool, and how often with three classes
    "open_candidate_by_class": 3,
    "gold_candidate_by_class": 3,
    "holdout_candidate_by_class": 3,
    "gold_candidate_by_age": 1,
    "open_candidate_by_shuffle": 2,  # a window from where the dice fall, and the whole circle
    "settled_candidate_by_shuffle": 1,
    "open_candidate_for_a_choice": 1,
}


@pytest.mark.django_db
@pytest.mark.parametrize("choices", [True, False])
def test_every_part_of_the_pool_is_read_by_an_index_in_its_order(*, choices: bool) -> None:
    ada = visitor(shapes_project())
    assert set(PARTS) == {row.name for row in Candidate._meta.indexes}
    with CaptureQueriesContext(connection) as queries:
        pool_for(ada, choices=choices)
    reading, steps = queries[-1]["sql"].replace("%", "%%"), list[str]()
    with connection.cursor() as cursor:
        if only_sqlite:
            cursor.execute(f"EXPLAIN QUERY PLAN {reading}")
            steps = [row[3] for row in cursor.fetchall()]
        else:  # which rightly reads so small a table whole: as if that and sorting were dear
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {reading}")
            steps = [row[0] for row in cursor.fetchall()]
    found = Counter(name for step in steps for name in re.findall(r"\w+_candidate_\w+", step))
    if not only_sqlite:  # of twelve rows of Gold, those of a class are found by age as fast
        gold = found.pop("gold_candidate_by_class", 0) + found.pop("gold_candidate_by_age", 0)
        found.update({name: times for name, times in PARTS.items() if name.startswith("gold")})
        assert gold == 3 + 1
    assert found == PARTS, steps
    assert not any("TEMP B-TREE" in step or "Sort" in step for step in steps), steps


@pytest.mark.django_db
def test_reading_a_pool_locks_nothing_and_claiming_passes_over_what_others_write() -> None:
    ada = visitor(shapes_project())
    with CaptureQueriesContext(connection) as queries:
        issue_challenge(annotator=ada, now=NOON, generator=dice())
    [reading] = [query["sql"] for query in queries if "UNION" in query["sql"]]
    [claiming] = [query["sql"] for query in queries if "UPDATE" in query["sql"].split()]
    assert "FOR UPDATE" not in reading
    assert only_sqlite or "FOR UPDATE SKIP LOCKED" in claiming


def planned(annotator: Annotator) -> Plan:
    plan = plan_grid(annotator=annotator, now=NOON, generator=dice(), everywhere=False)
    assert plan is not None
    return plan


@pytest.mark.django_db
def test_spares_stand_in_for_images_that_another_grid_took_since_the_plan_was_made() -> None:
    project = shapes_project(images=120)
    ada, bob = visitor(project), visitor(project)
    plan = planned(ada)
    asked = [tile.image_id for tile in plan.tiles if tile.image_id not in plan.gold]
    Candidate.objects.filter(image_id__in=asked[:3]).update(leased_until=NOON + timedelta(hours=1))
    challenge = write_grid(annotator=ada, plan=plan, now=NOON)
    images = set(challenge.tiles.values_list("image_id", flat=True))
    assert len(images) == challenge.places == 9
    assert not images & set(asked[:3])
    assert set(asked[3:]) < images
    other = write_grid(annotator=bob, plan=planned(bob), now=NOON)
    shared = images & set(other.tiles.values_list("image_id", flat=True))
    assert shared <= set(plan.gold)


def test_a_spare_is_one_image_once_by_the_first_reason_to_ask_about_it() -> None:
    circle = 1
    wanted = [Place(n, circle, 1.0, 0.5, 1.0, "", "open") for n in range(8)]
    drawn = [Place(n, circle, 1.0, 0.5, 1.0, "", "random") for n in range(6, 10)]
    pool = Pool(
        open={circle: wanted}, random=drawn, gold=[], gold_of={}, choice=[], check=[], holdout={}
    )
    wishes = Wishes(
        size=4,
        graded=False,
        random_share=0.0,
        check_share=0.0,
        costs=Costs(),
        wanted=Tile.Reason.INFORMATION,
    )
    plan = compose(pool=pool, wishes=wishes, generator=dice())
    assert plan is not None
    information, random = Tile.Reason.INFORMATION, Tile.Reason.RANDOM
    assert [(tile.image_id, tile.reason) for tile in plan.spares] == [
        *((n, information) for n in (4, 5, 6, 7)),
        *((n, random) for n in (8, 9)),
    ]


@pytest.mark.django_db
def test_of_a_burst_each_grid_shows_one_picture_and_what_leaves_the_queues_keeps_its_look() -> None:
    project = shapes_project(images=120)
    waiting = project.candidates.filter(queue="open").order_by("image_id")
    burst = list(waiting.values_list("image_id", flat=True)[:40])
    Image.objects.filter(pk__in=burst).update(fingerprint=-7)
    Candidate.objects.filter(image_id__in=burst).update(fingerprint=-7, priority=5.0)
    exclude_image(image=Image.objects.get(pk=burst[0]))
    include_image(image=Image.objects.get(pk=burst[0]), now=NOON)
    shown = []
    for seed in range(12):
        challenge = issue_challenge(annotator=visitor(project), now=NOON, generator=dice(seed))
        images = challenge.tiles.values_list("image_id", flat=True)
        shown.append(len(set(images) & set(burst)))
    assert shown == [1] * 12
    assert Candidate.objects.get(image_id=burst[0]).fingerprint == -7


@pytest.mark.django_db
def test_a_plan_without_spares_enough_is_a_clash_and_another_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada = visitor(shapes_project(images=120))
    plan = planned(ada)
    taken = [tile.image_id for tile in (*plan.tiles, *plan.spares)]
    Candidate.objects.filter(image_id__in=taken, queue="open").update(
        leased_until=NOON + timedelta(hours=1)
    )
    with pytest.raises(Clash), transaction.atomic():
        write_grid(annotator=ada, plan=plan, now=NOON)
    assert not Challenge.objects.exists()
    plans = iter([plan])  # made before the others took its images; the next one is fresh
    monkeypatch.setattr(services, "plan_grid", lambda **how: next(plans, None) or plan_grid(**how))
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    asked = challenge.tiles.exclude(reason="gold").values_list("image_id", flat=True)
    assert asked
    assert not set(asked) & set(taken)


@pytest.mark.django_db
def test_gold_that_is_gold_no_more_when_a_plan_is_written_is_not_in_the_grid() -> None:
    project = shapes_project(images=120)
    ada = visitor(project)
    plan = planned(ada)
    excluded, *others = plan.gold
    exclude_image(image=Image.objects.get(pk=excluded))
    for image_id in others:
        take_back_gold(image=Image.objects.get(pk=image_id), now=NOON)
        held = NOON + timedelta(hours=1)  # by somebody else's grid, as an open image
        Candidate.objects.filter(image_id=image_id).update(leased_until=held)
    challenge = write_grid(annotator=ada, plan=plan, now=NOON)
    images = set(challenge.tiles.values_list("image_id", flat=True))
    assert len(images) == 9
    assert not images & set(plan.gold)


@pytest.mark.django_db
def test_gold_comes_round_longest_ago_first() -> None:
    ada = visitor(shapes_project(gold_per_class=2))
    first = pool_for(ada).gold
    Candidate.objects.filter(image_id=first[0].image_id).update(asked_at=NOON)
    assert pool_for(ada).gold[-1].image_id == first[0].image_id


@pytest.mark.django_db
def test_the_random_part_is_not_in_the_order_of_anyones_wishes() -> None:
    ada = visitor(shapes_project())
    for number, row in enumerate(Candidate.objects.filter(queue="open").order_by("shuffle")):
        Candidate.objects.filter(pk=row.pk).update(priority=number % 7)
    drawn = [place.image_id for place in pool_for(ada).random]
    shuffled = Candidate.objects.filter(queue="open").order_by("shuffle")
    in_order = list(shuffled.values_list("image_id", flat=True))
    turn = in_order.index(drawn[0])
    assert drawn[:3] == in_order[turn : turn + 3]


@pytest.mark.django_db(transaction=True)
def test_votes_wait_for_the_disk_and_an_issued_grid_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = shapes_project()
    waits: dict[str, str] = {}

    def note(name: str) -> None:
        wish = "PRAGMA synchronous" if only_sqlite else "SHOW synchronous_commit"
        with connection.cursor() as cursor:
            cursor.execute(wish)
            waits[name] = str(cursor.fetchone()[0])

    writing, record_votes = services.write_grid, answering.record_votes

    def issuing(**arguments: object) -> Challenge:
        note("issuing")
        return writing(**arguments)

    def voting(**arguments: object) -> object:
        note("voting")
        return record_votes(**arguments)

    monkeypatch.setattr(services, "write_grid", issuing)
    monkeypatch.setattr(answering, "record_votes", voting)
    ada = visitor(project)
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    note("afterwards")
    submit_answer(annotator=ada, public_id=challenge.public_id, selected=[], now=NOON)
    awaited, not_awaited = ("2", "1") if only_sqlite else ("on", "off")
    assert waits == {"issuing": not_awaited, "afterwards": awaited, "voting": awaited}
    challenge = issue_challenge(annotator=ada, now=NOON, generator=dice())
    waits.clear()
    submit_answer_and_issue(
        annotator=ada, public_id=challenge.public_id, selected=[], now=NOON, generator=dice()
    )
    assert waits == {"issuing": awaited, "voting": awaited}  # one transaction for both
