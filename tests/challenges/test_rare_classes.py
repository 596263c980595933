"""A class of few images is found too, and where no class is rare nothing changes."""

from collections import Counter

import pytest

from labelhub.challenges import issuing
from labelhub.challenges.issuing import RARE_SHARE, plan_grid
from labelhub.projects.models import Image, Project
from labelhub.rounds.models import Candidate
from labelhub.rounds.progress import count_progress
from labelhub.votes.models import Consensus
from tests.factories import NOON, dice, shapes_project, true_key, visitor

pytestmark = pytest.mark.django_db
SHEETS = 600


def sorted_project(*, images: int = 306, **share: int) -> Project:
    """A project whose network tells the classes apart, a little: of the open images, so many are
    likeliest of each class of ``share``, and the last class is wanted least."""
    project = shapes_project(images=images)
    waiting = Candidate.objects.filter(project=project, queue=Candidate.Queue.OPEN).order_by("pk")
    ids = list(waiting.values_list("pk", flat=True))
    for place, (key, count) in enumerate(share.items()):
        of_class, ids = ids[:count], ids[count:]
        Candidate.objects.filter(pk__in=of_class).update(
            label_class=project.label_classes.get(key=key), priority=0.3 / (1 + place)
        )
    Candidate.objects.filter(pk__in=ids).delete()
    return project


def found(project: Project, **counts: int) -> None:
    """So many settled images of each class, as the clock counts them."""
    images = project.images.filter(gold__isnull=True).order_by("-pk")
    rows = list(Consensus.objects.filter(image__in=images).values_list("pk", flat=True))
    for key, count in counts.items():
        of_class, rows = rows[:count], rows[count:]
        label_class = project.label_classes.get(key=key)
        Consensus.objects.filter(pk__in=of_class).update(settled=True, label_class=label_class)
    count_progress(now=NOON)


def asked_about(project: Project, *, sheets: int = SHEETS) -> dict[str, float]:
    """The share of each class among the sheets composed for one person."""
    ada, generator = visitor(project), dice()
    keys = dict(project.label_classes.values_list("pk", "key"))
    plans = [
        plan_grid(annotator=ada, now=NOON, generator=generator, everywhere=False)
        for _ in range(sheets)
    ]
    counted = Counter(keys[plan.label_class_id] for plan in plans if plan and plan.label_class_id)
    return {key: times / sheets for key, times in counted.items()}


def test_a_class_of_one_image_in_a_hundred_gets_its_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    project = sorted_project(circle=145, cross=146, triangle=3)
    found(project, circle=20, cross=20, triangle=1)
    assert asked_about(project)["triangle"] == pytest.approx(RARE_SHARE, abs=0.025)
    monkeypatch.setattr(issuing, "RARE_SHARE", 0.0)
    assert "triangle" not in asked_about(project)


def test_where_the_classes_are_balanced_each_is_asked_about_as_often_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = sorted_project(circle=90, cross=90, triangle=90)
    Candidate.objects.filter(project=project, queue="open").update(priority=0.3)
    found(project, circle=20, cross=20, triangle=20)
    on_purpose = asked_about(project)
    monkeypatch.setattr(issuing, "RARE_SHARE", 0.0)
    before = asked_about(project)
    assert before.keys() == on_purpose.keys() == {"circle", "cross", "triangle"}
    assert on_purpose == pytest.approx(before, abs=0.07)


def test_before_anything_was_counted_nothing_is_asked_on_purpose() -> None:
    project = sorted_project(circle=145, cross=146, triangle=3)
    assert "triangle" not in asked_about(project, sheets=200)


def test_a_rare_class_without_open_images_leaves_its_turn_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = sorted_project(circle=145, cross=3, triangle=3)
    found(project, circle=20, cross=2, triangle=1)
    monkeypatch.setattr(issuing, "RARE_SHARE", 1.0)
    assert asked_about(project, sheets=20) == {"triangle": 1.0}
    triangles = Candidate.objects.filter(project=project, label_class__key="triangle", queue="open")
    triangles.delete()  # since the last count
    assert asked_about(project, sheets=20) == {"cross": 1.0}
    count_progress(now=NOON)
    assert asked_about(project, sheets=20) == {"cross": 1.0}


def test_none_of_these_is_not_asked_about_on_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    project = sorted_project(circle=145, cross=146)
    none = project.label_classes.get(is_none=True)
    project.progress.found = {str(none.pk): 0}
    project.progress.save()
    monkeypatch.setattr(issuing, "RARE_SHARE", 1.0)
    assert asked_about(project, sheets=20)["circle"] > 0.9


def test_found_is_counted_for_the_classes_that_have_something_to_ask() -> None:
    project = shapes_project(images=60, gold_per_class=4)
    keys = {str(row.pk): row.key for row in project.label_classes.all()}

    def counted() -> dict[str, int]:
        count_progress(now=NOON)
        project.progress.refresh_from_db()
        return {keys[pk]: count for pk, count in project.progress.found.items()}

    assert counted() == {"circle": 4, "cross": 4, "triangle": 4}, "Gold is found"
    of_class = Candidate.objects.filter(project=project, queue="open")
    of_class.filter(label_class__key="circle").update(settled=True)
    of_class.filter(label_class__key="cross").update(priority=-1.0)  # contested
    assert counted() == {"triangle": 4}
    [gone, *_] = [one for one in project.images.order_by("pk") if true_key(one) == "triangle"]
    Image.objects.filter(pk=gone.pk).update(status=Image.Status.EXCLUDED)
    assert counted() == {"triangle": 3}
    of_class.filter(label_class__key="triangle").update(form="choice")
    assert counted() == {"triangle": 3}, "without choices these are asked in grids"
    Project.objects.update(asks_choices=True)
    assert counted() == {}


def test_somebody_whose_answers_tell_nothing_is_not_sent_after_rare_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = sorted_project(circle=145, cross=146, triangle=3)
    found(project, circle=20, cross=20, triangle=1)
    for name, value in (("RARE_SHARE", 1.0), ("RAREST", 1), ("CONTENDERS", 1)):
        monkeypatch.setattr(issuing, name, value)
    oskar = visitor(project)
    oskar.counts = False
    generator = dice()
    plans = [
        plan_grid(annotator=oskar, now=NOON, generator=generator, everywhere=False)
        for _ in range(60)
    ]
    assert len({plan.label_class_id for plan in plans if plan}) == 3
