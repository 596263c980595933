"""Bad input: each file is refused by name with its reason, and the good ones are kept."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given as chosen
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from labelhub.exchange import services, zips
from labelhub.exchange.items import Item, Refused, SourceError
from labelhub.exchange.services import import_images
from labelhub.exchange.sources import open_source
from labelhub.projects.models import Image
from tests.exchange import given
from tests.factories import NOON


def names(path: Path, source_format: str = "auto") -> tuple[list[str], dict[str, str]]:
    """Names taken, and names refused with their reasons."""
    with open_source(path, source_format) as items:
        found = list(items)
    taken = [one.name for one in found if isinstance(one, Item)]
    return taken, {one.name: one.reason for one in found if isinstance(one, Refused)}


def bomb() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("1", (20_000, 20_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.django_db
def test_one_bad_file_of_each_kind_among_good_ones_costs_only_itself(tmp_path: Path) -> None:
    source = given.tree(tmp_path / "in")
    bad = {
        "cut.png": (given.png(50)[:200], "damaged or cut short"),
        "empty.png": (b"", "the file is empty"),
        "notes.txt": (b"not a picture at all", "not a picture"),
        "page.jpg": (b"<html><script>alert(1)</script>", "not a picture"),
        "dance.gif": (given.animation(), "an animation of 4 frames"),
        "bomb.png": (bomb(), "at most 40 million pixels are taken"),
        "huge.png": (b"\x89PNG" + b"\0" * 20_000_001, "at most 20 MB are taken"),
    }
    for name, (data, _) in bad.items():
        given.put(source, f"circle/{name}", data)
    report = import_images(project=given.project(), source=source, gold=True, now=NOON)
    assert (report.read, report.added) == (16, 9)
    refused = {one.name: one.reason for one in report.rejected}
    assert set(refused) == {f"circle/{name}" for name in bad}
    for name, (_, reason) in bad.items():
        assert reason in refused[f"circle/{name}"]
    assert Image.objects.count() == 9


@pytest.mark.django_db
def test_a_zip_with_entries_that_lead_out_keeps_its_good_pictures(tmp_path: Path) -> None:
    path = tmp_path / "mixed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("circle/0.png", given.png(0))
        archive.writestr("../1.png", given.png(1))
        link = zipfile.ZipInfo("circle/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("hexagon/2.png", given.png(2))
        archive.writestr("cross/3.png", given.png(3))
    report = import_images(project=given.project(), source=path, gold=True, now=NOON)
    assert (report.read, report.added) == (5, 2)
    refused = {one.name: one.reason for one in report.rejected}
    assert refused.keys() == {"../1.png", "circle/link.png", "hexagon/2.png"}
    assert refused["hexagon/2.png"].startswith('class folder "hexagon" matches no class')
    assert set(Image.objects.values_list("name", flat=True)) == {"circle/0.png", "cross/3.png"}


def oversized_zip(folder: Path) -> Path:
    return given.zipped(folder / "many.zip", {f"{n}.png": given.png(n) for n in range(3)})


def misshapen_npz(folder: Path) -> Path:
    return given.npz(folder / "set.npz", images=np.zeros((4, 8, 8, 2), np.uint8))


def damaged_npz(folder: Path) -> Path:
    """Unpacks to pixels all the same; only the checksum at the end tells that some are wrong."""
    images = np.stack([given.pixels(number) // 8 for number in range(60)])
    path = given.npz(folder / "set.npz", images=images)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4] = b"\0\0\0\0"
    path.write_bytes(data)
    return path


@pytest.mark.django_db
@pytest.mark.parametrize("make", [oversized_zip, misshapen_npz, damaged_npz])
def test_a_source_that_is_refused_whole_leaves_nothing_half_done(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path]
) -> None:
    monkeypatch.setattr(zips, "MOST_ENTRIES", 2)
    monkeypatch.setattr(services, "BATCH", 2)
    source = make(tmp_path)
    with pytest.raises(SourceError, match=source.name):
        import_images(project=given.project(), source=source, now=NOON)
    assert not Image.objects.exists()
    assert not (data_dir / "pictures").exists()


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@chosen(data=st.data())
def test_a_zip_damaged_anywhere_never_crashes(tmp_path: Path, data: st.DataObject) -> None:
    path = given.zipped(tmp_path / "a.zip", {"a.png": given.png(0), "b.png": given.png(1)})
    broken = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(broken) - 1), min_size=1, max_size=8)):
        broken[at] = data.draw(st.integers(0, 255))
    path.write_bytes(broken)
    try:
        taken, refused = names(path, "zip")
    except SourceError as refusal:
        assert "a.zip" in str(refusal)  # noqa: PT017
    else:
        assert len(taken) + len(refused) <= 2
