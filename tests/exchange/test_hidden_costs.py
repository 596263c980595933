"""A small file that would cost much memory, or cannot be opened, is refused before it does."""

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from labelhub.exchange import npz as npz_reader
from labelhub.exchange.items import SourceError
from labelhub.exchange.services import import_images
from labelhub.projects.models import Image
from tests.exchange import given
from tests.factories import NOON

pytestmark = pytest.mark.django_db

FOUR = np.stack([given.pixels(number) for number in range(4)])
NAMES = np.array(given.CLASSES)


def test_an_entry_that_lies_about_its_size_costs_no_more_memory_than_it_states(
    tmp_path: Path,
) -> None:
    source = given.zipped(
        tmp_path / "p.zip", {"good.png": given.png(1), "bomb.png": bytes(100_000_000)}
    )
    change_entry(source, "bomb.png", place=24, value=1000, width=4)
    tracemalloc.start()
    report = import_images(project=given.project(), source=source, now=NOON)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [one.name for one in report.rejected] == ["bomb.png"]
    assert "damaged in the zip" in report.rejected[0].reason
    assert report.added == 1
    assert peak < 50_000_000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_unpacks_without_bounds_is_refused(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w", method) as archive:
        archive.writestr("a.png", given.png(1))
        archive.writestr("b.png", given.png(2), compress_type=zipfile.ZIP_DEFLATED)
    report = import_images(project=given.project(), source=tmp_path / "p.zip", now=NOON)
    assert [one.name for one in report.rejected] == ["a.png"]
    assert "unusual method" in report.rejected[0].reason
    assert [image.name for image in Image.objects.all()] == ["b.png"]


def test_an_npz_packed_by_such_a_method_is_refused(tmp_path: Path) -> None:
    given.npz(tmp_path / "plain.npz", images=FOUR)
    with (
        zipfile.ZipFile(tmp_path / "plain.npz") as plain,
        zipfile.ZipFile(tmp_path / "p.npz", "w", zipfile.ZIP_LZMA) as packed,
    ):
        packed.writestr("images.npy", plain.read("images.npy"))
    with pytest.raises(SourceError, match=r"p\.npz: array 'images': packed by an unusual method"):
        import_images(project=given.project(), source=tmp_path / "p.npz", now=NOON)


def test_an_npz_with_labels_too_many_to_hold_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz_reader, "MOST_SMALL_BYTES", 100)
    source = given.npz(tmp_path / "p.npz", images=FOUR, labels=[0] * 4, classes=NAMES)
    with pytest.raises(SourceError, match=r"p\.npz: array 'labels': .* MB are taken"):
        import_images(project=given.project(), source=source, now=NOON)


def test_an_encrypted_npz_is_one_clear_error(tmp_path: Path) -> None:
    source = given.npz(tmp_path / "p.npz", images=FOUR)
    change_entry(source, "images.npy", place=8, value=0x1, width=2)
    with pytest.raises(SourceError, match=r"p\.npz: array 'images': cannot be read .*encrypted"):
        import_images(project=given.project(), source=source, now=NOON)


def test_a_label_of_minus_one_tells_no_class(tmp_path: Path) -> None:
    source = given.npz(tmp_path / "p.npz", images=FOUR, labels=[0, -1, 1, -1], classes=NAMES)
    report = import_images(project=given.project(), source=source, gold=True, now=NOON)
    assert (report.added, report.gold, report.rejected) == (4, 2, [])
    assert Image.objects.filter(gold__isnull=True).count() == 2


def change_entry(source: Path, name: str, *, place: int, value: int, width: int) -> None:
    """Overwrite a field in an entry's record in the directory at the zip's end, as a liar would."""
    data = bytearray(source.read_bytes())
    start = data.rindex(name.encode()) - 46
    assert data[start : start + 4] == b"PK\x01\x02"
    data[start + place : start + place + width] = value.to_bytes(width, "little")
    source.write_bytes(data)
