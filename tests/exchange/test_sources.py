"""Folders, zips and NPZ: what of them is read, what is refused, and in which words."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from labelhub.exchange import npz as npz_reader
from labelhub.exchange import zips
from labelhub.exchange.items import Item, Refused, SourceError
from labelhub.exchange.sources import open_source
from labelhub.projects import pictures
from tests.exchange import given

IMAGES = np.stack([given.pixels(number) for number in range(4)])
LABELS, NAMES = np.array([0, 1, 2, 0]), np.array(["circle", "cross", "triangle"])


def names(path: Path, source_format: str = "auto") -> tuple[list[str], dict[str, str]]:
    """Names taken, and names refused with their reasons."""
    with open_source(path, source_format) as items:
        found = list(items)
    taken = [one.name for one in found if isinstance(one, Item)]
    return taken, {one.name: one.reason for one in found if isinstance(one, Refused)}


def places(data: bytes, marker: bytes) -> list[int]:
    return [at for at in range(len(data)) if data.startswith(marker, at)]


def test_hidden_files_and_what_file_managers_leave_are_passed_over(tmp_path: Path) -> None:
    source = given.tree(tmp_path / "in", per_class=1)
    for name in (".DS_Store", "circle/Thumbs.db", "__MACOSX/circle/._0.png", ".git/config"):
        given.put(source, name, b"x")
    assert names(source) == (["circle/0.png", "cross/0.png", "triangle/0.png"], {})
    entries = dict.fromkeys((".DS_Store", "__MACOSX/._0.png", "circle/.hidden"), b"x")
    archive = given.zipped(tmp_path / "a.zip", {"circle/0.png": given.png(0), **entries})
    assert names(archive) == (["circle/0.png"], {})


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    given.put(tmp_path, "secret.png", given.png(1))
    given.put(tmp_path / "in", "circle/0.png", given.png(0))
    (tmp_path / "in/circle/out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in/circle/inside.png").symlink_to(tmp_path / "in/circle/0.png")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/lost.png").symlink_to(tmp_path / "in/gone.png")
    os.mkfifo(tmp_path / "in/pipe.png")
    taken, refused = names(tmp_path / "in")
    assert taken == ["circle/0.png", "circle/inside.png"]
    assert refused == {
        "circle/out.png": "a link that leads out of the folder",
        "loop": "not a regular file",
        "lost.png": "cannot be read: No such file or directory",
        "pipe.png": "not a regular file",
    }


def test_a_name_that_is_no_text_does_not_stop_an_import(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/\xff.png")).write_bytes(given.png(0))
    assert names(tmp_path / "in") == (["?.png"], {})


def test_zip_entries_that_lead_out_are_links_or_are_encrypted_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("circle/0.png", given.png(0))
        archive.writestr("../../etc/passwd.png", given.png(1))
        archive.writestr("/etc/shadow.png", given.png(2))
        archive.writestr("..\\..\\windows.png", given.png(3))
        link = zipfile.ZipInfo("circle/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("circle/locked.png", given.png(4))
    data = bytearray(path.read_bytes())
    for marker, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[places(data, marker)[-1] + flags] |= 1  # as a zip with a password has it
    path.write_bytes(data)
    taken, refused = names(path)
    assert taken == ["circle/0.png"]
    assert refused == {
        "../../etc/passwd.png": "its path leads out of the zip",
        "/etc/shadow.png": "its path leads out of the zip",
        "..\\..\\windows.png": "its path leads out of the zip",
        "circle/link.png": "a link, not a file",
        "circle/locked.png": "encrypted; give a zip without a password",
    }


def test_a_damaged_entry_costs_only_itself(tmp_path: Path) -> None:
    path = given.zipped(tmp_path / "a.zip", {"a.png": given.png(0), "b.png": given.png(1)})
    data = bytearray(path.read_bytes())
    data[60:80] = b"\xff" * 20
    path.write_bytes(data)
    taken, refused = names(path)
    assert taken == ["b.png"]
    assert "damaged in the zip" in refused["a.png"]


def test_a_zip_with_more_entries_than_allowed_is_refused_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(zips, "MOST_ENTRIES", 2)
    path = given.zipped(tmp_path / "many.zip", {f"{n}.png": given.png(n) for n in range(3)})
    with pytest.raises(SourceError, match=r"many\.zip: 3 entries; at most 2 are taken"):
        names(path)


def test_a_zip_with_more_bytes_than_allowed_is_refused_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(zips, "MOST_BYTES", 1_000_000)
    path = given.zipped(tmp_path / "bomb.zip", {"a.png": b"\0" * 2_000_000})
    assert path.stat().st_size < 10_000
    with pytest.raises(SourceError, match=r"bomb\.zip: 0\.0 GB unpacked; at most"):
        names(path)


def test_a_large_entry_is_refused_by_the_size_it_states(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", 1_000)
    path = given.zipped(tmp_path / "a.zip", {"a.png": b"\0" * 2_000_000})
    assert names(path)[1] == {"a.png": "2.0 MB; at most 0 MB are taken"}


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("a.zip", b"PK\x03\x04 and then nothing", "neither a folder nor a zip nor NPZ"),
        ("notes.txt", b"hello", "neither a folder nor a zip nor NPZ"),
        ("a.npz", b"hello", "cannot be read as a zip"),
    ],
)
def test_a_file_that_is_no_source_is_named(
    tmp_path: Path, name: str, data: bytes, complaint: str
) -> None:
    given.put(tmp_path, name, data)
    with pytest.raises(SourceError, match=complaint) as refusal:
        names(tmp_path / name)
    assert name in str(refusal.value)


@pytest.mark.parametrize(
    ("arrays", "array", "complaint"),
    [
        ({"pixels": IMAGES}, "images", "not in the file"),
        ({"images": IMAGES.astype(np.float32)}, "images", "uint8 is needed, not float32"),
        ({"images": IMAGES[0, 0]}, "images", "shape"),
        ({"images": np.zeros((4, 8, 8, 2), np.uint8)}, "images", "shape"),
        ({"images": np.zeros((4, 0, 8), np.uint8)}, "images", "holds no pixel"),
        ({"images": np.asfortranarray(IMAGES)}, "images", "Fortran order"),
        ({"images": np.array([None, 1])}, "images", "uint8 is needed, not object"),
        ({"images": IMAGES, "labels": LABELS}, "classes", "not in the file"),
        ({"images": IMAGES, "labels": LABELS[:3], "classes": NAMES}, "labels", r"shape \(4,\)"),
        ({"images": IMAGES, "labels": LABELS + 0.5, "classes": NAMES}, "labels", "whole numbers"),
        ({"images": IMAGES, "labels": LABELS + 1, "classes": NAMES}, "labels", "number 2 is 3"),
        ({"images": IMAGES, "labels": LABELS - 2, "classes": NAMES}, "labels", "number 0 is -2"),
        ({"images": IMAGES, "labels": LABELS, "classes": LABELS}, "classes", "text"),
        (
            {"images": IMAGES, "labels": LABELS, "classes": np.array([None, "a"])},
            "classes",
            "cannot be read",
        ),
    ],
)
def test_an_npz_whose_arrays_do_not_fit_is_refused_by_file_and_array(
    tmp_path: Path, arrays: dict[str, np.ndarray], array: str, complaint: str
) -> None:
    path = given.npz(tmp_path / "set.npz", **arrays)
    with pytest.raises(SourceError, match=complaint) as refusal:
        names(path)
    assert str(refusal.value).startswith(f"{path}: array '{array}': ")


@pytest.mark.parametrize("shape", [(4, 16, 16, 3), (4, 16, 16), (4, 16, 16, 1)])
def test_an_npz_gives_its_pictures_in_colour_or_grey(tmp_path: Path, shape: tuple) -> None:
    images = IMAGES.reshape(4, -1)[:, : int(np.prod(shape[1:]))].reshape(shape)
    path = given.npz(tmp_path / "set.npz", images=images, labels=LABELS, classes=NAMES)
    with open_source(path) as items:
        found = [one for one in items if isinstance(one, Item)]
    assert [one.name for one in found] == [f"set.npz[{number}]" for number in range(4)]
    assert [one.folders[0] for one in found] == ["circle", "cross", "triangle", "circle"]
    for one, image in zip(found, images, strict=True):
        assert np.array_equal(one.content, image)


def test_an_npz_that_claims_more_than_it_holds_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "liar.npz"
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 32, 32, 3)}
    )
    given.zipped(path, {"images.npy": buffer.getvalue() + b"\0" * 100})
    with pytest.raises(SourceError, match="cut short"):
        names(path)
    monkeypatch.setattr(npz_reader, "MOST_PIXELS", 100)
    with pytest.raises(SourceError, match="pictures of 16 × 16 pixels"):
        names(given.npz(tmp_path / "big.npz", images=IMAGES))
