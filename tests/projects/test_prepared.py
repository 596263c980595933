"""Prepared queries say what the ORM would say, and prepared rows are what it would write."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Case, F, Value, When
from django.test.utils import CaptureQueriesContext

from labelhub.projects import rows as rows_module
from labelhub.projects.models import Image, LabelClass, Project
from labelhub.projects.prepared import (
    KEPT_SHAPES,
    PreparedSelect,
    PreparedUpdate,
    columns,
    instance,
)
from labelhub.projects.rows import insert_row, insert_rows, update_rows, upsert_rows
from labelhub.projects.services import create_project
from labelhub.rounds.models import Candidate
from tests.factories import NOON, shapes_project

pytestmark = pytest.mark.django_db

some_images = PreparedSelect(
    lambda project, ids, now: (
        Image.objects.filter(project=project, pk__in=ids, created_at__lte=now)
        .order_by("pk")
        .values_list("pk", "name", "holdout", "created_at", "gold__label_class__key")
    )
)


def test_a_prepared_select_gives_what_the_queryset_gives() -> None:
    project = shapes_project()
    for count in (1, 3, 3, 0):
        ids = list(project.images.order_by("pk").values_list("pk", flat=True))[5 : 5 + count]
        rows = some_images.rows(project=project.pk, ids=ids, now=NOON) if ids else []
        expected = Image.objects.filter(pk__in=ids).order_by("pk")
        assert rows == list(
            expected.values_list("pk", "name", "holdout", "created_at", "gold__label_class__key")
        )


def test_every_value_of_a_prepared_select_counts() -> None:
    project = shapes_project()
    ids = list(project.images.values_list("pk", flat=True))[:3]
    before = NOON - timedelta(seconds=1)
    assert len(some_images.rows(project=project.pk, ids=ids, now=NOON)) == 3
    assert some_images.rows(project=project.pk, ids=ids, now=before) == []
    assert some_images.rows(project=project.pk + 1, ids=ids, now=NOON) == []


def test_a_row_of_columns_becomes_the_object_it_is() -> None:
    project = shapes_project()
    by_slug = PreparedSelect(
        lambda slug: Project.objects.filter(slug=slug).values_list(*columns(Project))
    )
    [row] = by_slug.rows(slug=project.slug)
    read = instance(Project, row)
    assert read == project
    assert {name: getattr(read, name) for name in columns(Project)} == {
        name: getattr(project, name) for name in columns(Project)
    }


def test_lists_of_many_lengths_are_not_kept_for_ever() -> None:
    some = PreparedSelect(lambda ids: Image.objects.filter(pk__in=ids).values_list("pk"))
    for length in range(1, 3 * KEPT_SHAPES):
        assert some.rows(ids=list(range(length))) == []
    assert len(some.made.statements) <= KEPT_SHAPES


def test_a_slot_that_is_changed_on_its_way_is_refused() -> None:
    contains = PreparedSelect(
        lambda part: Image.objects.filter(name__contains=part).values_list("pk")
    )
    with pytest.raises(ValueError, match="part"):
        contains.rows(part="circle")


def test_a_prepared_update_writes_what_the_queryset_writes() -> None:
    project = shapes_project()
    leased = PreparedUpdate(
        lambda ids, until, back: (
            Candidate.objects.filter(image_id__in=ids),
            {
                "leased_until": Value(until),
                "priority": Case(When(queue="gold", then=Value(back)), default=F("priority")),
            },
        ),
        returning="image_id",
    )
    gold, other = (
        Candidate.objects.filter(project=project, queue=queue).first() for queue in ("gold", "open")
    )
    assert gold is not None
    assert other is not None
    later = NOON + timedelta(minutes=5)
    for back in (-2.5, -3.5):
        ids = [gold.image_id, other.image_id]
        assert sorted(leased.changed(ids=ids, until=later, back=back)) == sorted(ids)
        gold.refresh_from_db()
        assert (gold.leased_until, gold.priority) == (later, back)
    kept = other.priority
    other.refresh_from_db()
    assert (other.leased_until, other.priority) == (later, kept)


def test_rows_are_written_as_the_orm_writes_them_and_constraints_hold() -> None:
    project = shapes_project()
    names = ("project", "key", "name", "question", "texts", "position", "is_none")
    texts = {"de": {"name": "ein Stern"}}
    row = (project.pk, "star", "a star", "", texts, 9, False)
    pk = insert_row(LabelClass, names, row)
    star = LabelClass.objects.get(pk=pk)
    assert (star.project, star.key, star.texts, star.is_none) == (project, "star", texts, False)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(LabelClass, names, [row])
    updated = update_rows(LabelClass, ("name", "id"), [("stars", pk), ("crosses", 0)])
    assert updated == 1
    assert update_rows(LabelClass, ("name", "id"), [("x", pk)], unless="key = 'star'") == 0
    star.refresh_from_db()
    assert star.name == "stars"


def test_an_upsert_inserts_or_writes_over() -> None:
    project = shapes_project(images=3, gold_per_class=0)
    image = project.images.order_by("pk").first()
    circle = project.label_classes.get(key="circle")
    assert image is not None
    names = ("project", "image", "label_class", "shuffle", "queue", "priority", "probability")
    names = (*names, "entropy", "score", "leased_until", "asked_at", "form", "settled")
    row = (project.pk, image.pk, circle.pk, 0.5, "open", 7.0, 0.1, 0.2, 0.2, NOON, NOON)
    row = (*row, "grid", False)
    upsert_rows(Candidate, names, [row], key=("image",))
    assert Candidate.objects.get(image=image).priority == 7.0
    Candidate.objects.all().delete()
    upsert_rows(Candidate, names, [row], key=("image",))
    assert Candidate.objects.get().label_class == circle


@pytest.mark.parametrize("count", [1, 7, 8, 9, 24, 30])
def test_so_many_rows_are_upserted_each_with_its_own_values(monkeypatch, count: int) -> None:
    names = ("project", "sha256", "name", "width", "height", "fold")
    same = {"holdout": False, "was_gold": False, "status": "active", "created_at": NOON}
    names = (*names, *same)
    monkeypatch.setattr(rows_module, "VALUES_A_STATEMENT", 8 * len(names))
    project = create_project(name="Many", class_names=["a", "b"])

    def upsert(first: str) -> dict[str, str]:
        rows = [(project.pk, f"{n:064x}", f"{first} {n}", n, 1, n % 10) for n in range(count)]
        rows = [(*row, *same.values()) for row in rows]
        key, for_life = ("project", "sha256"), ("width",)
        upsert_rows(Image, names, rows, key=key, for_life=for_life)
        return dict(project.images.order_by("sha256").values_list("name", "width"))

    assert upsert("first") == {f"first {n}": n for n in range(count)}
    Image.objects.filter(project=project).update(width=99)
    assert upsert("second") == {f"second {n}": 99 for n in range(count)}  # width was for life


def test_many_rows_are_one_statement() -> None:
    project = shapes_project()
    rows = [(f"name {image.pk}", image.pk) for image in project.images.all()]
    with CaptureQueriesContext(connection) as queries:
        update_rows(Image, ("name", "id"), rows)
    assert len(queries) == 1
