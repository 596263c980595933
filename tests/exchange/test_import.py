"""Pictures in: what becomes an image, what becomes Gold, and what an interruption leaves."""

from pathlib import Path

import numpy as np
import pytest

from labelhub.exchange import services
from labelhub.exchange.items import SourceError
from labelhub.exchange.services import ImportReport, import_images
from labelhub.projects.likeness import fingerprint
from labelhub.projects.models import Example, Gold, Image
from labelhub.projects.pictures import open_full
from labelhub.projects.services import create_project
from labelhub.rounds.models import Candidate, Round
from labelhub.votes.models import Consensus
from tests.exchange import given
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def reasons(report: ImportReport) -> dict[str, str]:
    return {one.name: one.reason for one in report.rejected}


def test_a_folder_of_pictures_becomes_images_that_wait_for_votes(tmp_path: Path) -> None:
    project = given.project()
    report = import_images(project=project, source=given.tree(tmp_path / "in"), now=NOON)
    assert (report.read, report.added, report.duplicates, report.rejected) == (9, 9, 0, [])
    assert Image.objects.filter(project=project).count() == 9
    assert Candidate.objects.filter(project=project).count() == 9
    assert Consensus.objects.filter(project=project).count() == 9
    assert not Gold.objects.exists()
    first = Image.objects.get(name="circle/0.png")
    assert np.array_equal(np.asarray(open_full(first.sha256)), given.pixels(0))


def test_the_same_import_again_adds_nothing(tmp_path: Path) -> None:
    project, source = given.project(), given.tree(tmp_path / "in")
    import_images(project=project, source=source, now=NOON)
    again = import_images(project=project, source=source, now=NOON)
    assert (again.read, again.added, again.duplicates) == (9, 0, 9)
    assert Image.objects.count() == 9


def test_a_picture_that_is_in_a_source_twice_is_one_image(tmp_path: Path) -> None:
    given.put(tmp_path / "in", "a.png", given.png(1))
    given.put(tmp_path / "in", "b.png", given.png(1, compress_level=0))
    report = import_images(project=given.project(), source=tmp_path / "in", now=NOON)
    assert (report.added, report.duplicates) == (1, 1)


def test_the_same_picture_may_be_in_two_projects(tmp_path: Path) -> None:
    source = given.tree(tmp_path / "in")
    import_images(project=given.project("One"), source=source, now=NOON)
    assert import_images(project=given.project("Two"), source=source, now=NOON).added == 9


def test_with_gold_the_folder_is_the_class_and_two_of_each_become_examples(tmp_path: Path) -> None:
    project = given.project()
    source = given.tree(tmp_path / "in", per_class=6)
    report = import_images(project=project, source=source, gold=True, now=NOON)
    assert report.gold == 18
    for gold in Gold.objects.select_related("image", "label_class"):
        assert gold.image.name.startswith(gold.label_class.key)
        assert gold.source == Gold.Source.IMPORT
    assert Example.objects.count() == 6
    assert not Candidate.objects.filter(image__example__isnull=False).exists()
    assert Candidate.objects.filter(queue=Candidate.Queue.GOLD).count() == 12


def test_a_class_with_little_gold_keeps_all_of_it_for_grading(tmp_path: Path) -> None:
    source = given.tree(tmp_path / "in", per_class=5)
    import_images(project=given.project(), source=source, gold=True, now=NOON)
    assert not Example.objects.exists()


def test_an_admin_adds_truth_to_pictures_that_are_there_already(tmp_path: Path) -> None:
    project, source = given.project(), given.tree(tmp_path / "in")
    import_images(project=project, source=source, now=NOON)
    report = import_images(project=project, source=source, gold=True, now=NOON)
    assert (report.added, report.duplicates, report.gold) == (0, 9, 9)
    assert Gold.objects.count() == 9
    assert Candidate.objects.filter(queue=Candidate.Queue.GOLD).count() == 9


def test_gold_that_contradicts_is_refused_and_the_first_word_stays(tmp_path: Path) -> None:
    project = given.project()
    given.put(tmp_path / "in", "circle/1.png", given.png(1))
    given.put(tmp_path / "in", "cross/same.png", given.png(1))
    report = import_images(project=project, source=tmp_path / "in", gold=True, now=NOON)
    why = 'the same picture as "circle/1.png", which is Gold of class "circle"'
    assert reasons(report) == {"cross/same.png": why}
    given.put(tmp_path / "later", "triangle/x.png", given.png(1))
    later = import_images(project=project, source=tmp_path / "later", gold=True, now=NOON)
    assert reasons(later) == {"triangle/x.png": why}
    assert Gold.objects.get().label_class.key == "circle"


def test_a_class_folder_that_no_class_matches_is_refused_where_folders_are_truth(
    tmp_path: Path,
) -> None:
    source = given.tree(tmp_path / "in", per_class=1)
    given.put(source, "hexagon/1.png", given.png(70))
    report = import_images(project=given.project(), source=source, gold=True, now=NOON)
    assert report.added == 3
    assert reasons(report) == {
        "hexagon/1.png": 'class folder "hexagon" matches no class of the project '
        "(circle, cross, triangle, none-of-these)"
    }


def test_without_gold_a_folder_may_have_any_name(tmp_path: Path) -> None:
    given.put(tmp_path / "in", "holiday/1.png", given.png(70))
    assert import_images(project=given.project(), source=tmp_path / "in", now=NOON).added == 1


@pytest.mark.parametrize(
    "name", ["train/circle/1.png", "circle/2024/1.png", "Circle/1.png", "a circle/1.png"]
)
def test_the_nearest_folder_that_names_a_class_counts(tmp_path: Path, name: str) -> None:
    given.put(tmp_path / "in", name, given.png(1))
    project = create_project(name="Shapes", class_names=["a circle", "a cross"])
    report = import_images(project=project, source=tmp_path / "in", gold=True, now=NOON)
    assert report.gold == 1, reasons(report)
    assert Gold.objects.get().label_class.name.endswith("circle")


def test_a_picture_in_no_folder_is_taken_without_a_class(tmp_path: Path) -> None:
    given.put(tmp_path / "in", "1.png", given.png(1))
    report = import_images(project=given.project(), source=tmp_path / "in", gold=True, now=NOON)
    assert (report.added, report.gold) == (1, 0)


def test_a_dry_run_says_what_would_happen_and_writes_nothing(
    tmp_path: Path, data_dir: Path
) -> None:
    source = given.tree(tmp_path / "in")
    given.put(source, "bad.png", b"no picture")
    given.put(source, "circle/again.png", given.png(0))
    project = given.project()
    report = import_images(project=project, source=source, gold=True, dry_run=True, now=NOON)
    assert (report.read, report.added, report.duplicates, report.gold) == (11, 9, 1, 9)
    assert list(reasons(report)) == ["bad.png"]
    assert not Image.objects.exists()
    assert not (data_dir / "pictures").exists()


def test_a_holdout_is_set_aside_at_import(tmp_path: Path) -> None:
    source = given.tree(tmp_path / "in", per_class=10)
    import_images(project=given.project(), source=source, now=NOON)
    held = Image.objects.filter(holdout=True)
    assert held.count() == 6  # 20 % of 30
    hashes = sorted(Image.objects.values_list("sha256", flat=True))
    assert sorted(held.values_list("sha256", flat=True)) == hashes[:6]
    assert Candidate.objects.filter(queue=Candidate.Queue.HOLDOUT).count() == 6


def test_a_round_may_read_an_import_that_is_under_way_or_was_killed(
    tmp_path: Path, monkeypatch
) -> None:
    project, source = given.project(), given.tree(tmp_path / "in", per_class=10)
    monkeypatch.setattr(services, "BATCH", 10)
    committed = services._commit

    def a_round_reads_the_first_batch(*arguments) -> object:
        done = committed(*arguments)
        if Image.objects.count() == 10:
            assert Image.objects.filter(holdout=True).count() == 2
            last = Image.objects.latest("pk").pk
            Round.objects.create(project=project, number=1, last_image=last)
        return done

    monkeypatch.setattr(services, "_commit", a_round_reads_the_first_batch)
    import_images(project=project, source=source, now=NOON)
    read = Round.objects.get().last_image
    assert Image.objects.filter(holdout=True, pk__lte=read).count() == 2
    assert Image.objects.filter(holdout=True).count() == 6


def test_an_interrupted_import_leaves_whole_batches_and_again_adds_the_rest(
    tmp_path: Path, monkeypatch
) -> None:
    project, source = given.project(), given.tree(tmp_path / "in", per_class=4)
    monkeypatch.setattr(services, "BATCH", 5)
    stored = services.store

    def full_disk(picture) -> None:
        if picture.name == "triangle/1.png":
            raise OSError(28, "No space left on device")
        stored(picture)

    monkeypatch.setattr(services, "store", full_disk)
    report = ImportReport()
    with pytest.raises(OSError, match="No space left"):
        import_images(project=project, source=source, gold=True, now=NOON, report=report)
    assert report.added == 5
    assert Image.objects.count() == Candidate.objects.count() == Consensus.objects.count() == 5
    assert Gold.objects.count() == 5

    monkeypatch.setattr(services, "store", stored)
    rest = import_images(project=project, source=source, gold=True, now=NOON)
    assert (rest.added, rest.duplicates) == (7, 5)
    assert Image.objects.count() == Gold.objects.count() == 12


def test_a_batch_that_fails_while_its_rows_are_written_leaves_no_row(
    tmp_path: Path, monkeypatch
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(services, "mark_gold", broken)
    source = given.tree(tmp_path / "in")
    with pytest.raises(RuntimeError, match="killed"):
        import_images(project=given.project(), source=source, gold=True, now=NOON)
    assert not Image.objects.exists()
    assert not Gold.objects.exists()


def test_pictures_are_on_the_disk_before_their_rows_are_written(
    tmp_path: Path, monkeypatch
) -> None:
    rows_at_sync = []
    monkeypatch.setattr(services, "sync", lambda: rows_at_sync.append(Image.objects.count()))
    import_images(project=given.project(), source=given.tree(tmp_path / "in"), now=NOON)
    assert rows_at_sync == [0]


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere: there is no such file or folder"):
        import_images(project=given.project(), source=tmp_path / "nowhere", now=NOON)


def test_an_image_and_its_place_in_the_queues_know_how_it_looks(tmp_path: Path) -> None:
    given.put(tmp_path / "in", "a.png", given.png(1))
    given.put(tmp_path / "in", "b.png", given.png(2))
    given.put(tmp_path / "in", "flat.png", given.encoded(np.full((16, 16, 3), 90, np.uint8)))
    import_images(project=given.project(), source=tmp_path / "in", now=NOON)
    for image in Image.objects.select_related("candidate"):
        assert image.fingerprint == fingerprint(open_full(image.sha256))
        assert image.candidate.fingerprint == image.fingerprint
        assert (image.fingerprint is None) == (image.name == "flat.png")
