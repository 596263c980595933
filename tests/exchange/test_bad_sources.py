"""Bad input: each file is refused by name with its reason, and the good ones are kept."""

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given as chosen
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image as Pillow

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
