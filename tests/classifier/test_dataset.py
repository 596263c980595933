"""The pixels on disk survive crashes, and readers never see half an append."""

import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier import dataset
from classifier.dataset import ShardStore, prepare_image


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "SHARD_IMAGES", 5)


@pytest.mark.usefixtures("small_shards")
def test_images_come_back_by_id_across_many_shard_files(tmp_path: Path) -> None:
    images = pictures(17)
    store = ShardStore(tmp_path, (8, 8, 3))
    assert store.append(range(100, 103), images[:3]) == 3
    assert store.append(range(103, 117), images[3:]) == 14
    reopened = ShardStore(tmp_path, (8, 8, 3))
    assert reopened.ids.tolist() == list(range(100, 117))
    rows = reopened.rows_for([116, 100, 105, 105])
    assert np.array_equal(reopened.read(rows), images[[16, 0, 5, 5]])
    assert len(list(tmp_path.glob("shard-*.u8"))) == 4


def test_an_empty_store_reads_nothing(tmp_path: Path) -> None:
    store = ShardStore(tmp_path, (8, 8, 3))
    assert store.ids.shape == (0,)
    assert store.read(store.rows_for([])).shape == (0, 8, 8, 3)


def test_ids_before_between_and_after_what_is_there_are_missing(tmp_path: Path) -> None:
    store = ShardStore(tmp_path, (8, 8, 3))
    assert store.missing([3, 1]).tolist() == [3, 1]
    store.append([8, 2, 5], pictures(3))
    assert store.missing([9, 5, 1, 8, 4]).tolist() == [9, 1, 4]
    assert store.rows_for([5, 8, 2, 5]).tolist() == [2, 0, 1, 2]
    assert len(store.missing([])) == len(store.rows_for([])) == 0


def test_missing_ids_are_named(tmp_path: Path) -> None:
    store = ShardStore(tmp_path, (8, 8, 3))
    store.append([1, 2], pictures(2))
    with pytest.raises(KeyError, match="77, 99"):
        store.rows_for([1, 77, 2, 99])
    with pytest.raises(IndexError):
        store.read(np.array([2]))


def test_a_repeated_append_changes_nothing(tmp_path: Path) -> None:
    store = ShardStore(tmp_path, (8, 8, 3))
    first, second = pictures(3, seed=1), pictures(3, seed=2)
    assert store.append([1, 2, 3], first) == 3
    assert store.append([3, 4, 4], second) == 1
    assert store.ids.tolist() == [1, 2, 3, 4]
    assert np.array_equal(store.read(np.arange(3)), first)
    assert np.array_equal(store.read(np.array([3])), second[1:2])


def test_pixels_without_declared_ids_are_ignored_and_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ShardStore(tmp_path, (8, 8, 3))
    store.append([1, 2], pictures(2))

    def crash(*_: object) -> None:
        raise OSError("killed between pixels and ids")

    with monkeypatch.context() as crashing:
        crashing.setattr(ShardStore, "_declare", crash)
        with pytest.raises(OSError, match="killed"):
            store.append([3], pictures(1, seed=3))
    survivor = ShardStore(tmp_path, (8, 8, 3))
    assert survivor.ids.tolist() == [1, 2]
    survivor.append([4], pictures(1, seed=4))
    assert np.array_equal(survivor.read(survivor.rows_for([4])), pictures(1, seed=4))


@pytest.mark.parametrize("tail", [b"\x07", b"\x00" * 16, b"\x00" * 64, b"\x09" * 40])
def test_a_torn_tail_of_ids_is_ignored_and_overwritten(tmp_path: Path, tail: bytes) -> None:
    ShardStore(tmp_path, (8, 8, 3)).append([1, 2], pictures(2))
    with (tmp_path / "ids.bin").open("ab") as stream:
        stream.write(tail)
    store = ShardStore(tmp_path, (8, 8, 3))
    assert store.ids.tolist() == [1, 2]
    store.append([5], pictures(1, seed=5))
    assert ShardStore(tmp_path, (8, 8, 3)).ids.tolist() == [1, 2, 5]
    assert os.path.getsize(tmp_path / "ids.bin") == 3 * dataset.RECORD.itemsize  # noqa: PTH202


def test_a_reader_finds_what_another_appended_after_it_opened(tmp_path: Path) -> None:
    reader, writer = ShardStore(tmp_path, (8, 8, 3)), ShardStore(tmp_path, (8, 8, 3))
    writer.append([1], pictures(1))
    assert np.array_equal(reader.read(reader.rows_for([1])), pictures(1))
    writer.append([2], pictures(1, seed=2))
    assert reader.ids.tolist() == [1]
    assert np.array_equal(reader.read(reader.rows_for([2])), pictures(1, seed=2))


@pytest.mark.parametrize("later", [[9, 3, 12], [20, 21], [4, 30]])
def test_what_came_after_is_found_in_whatever_order_it_came(
    tmp_path: Path, later: list[int]
) -> None:
    images = pictures(3 + len(later))
    reader = ShardStore(tmp_path, (8, 8, 3))
    writer = ShardStore(tmp_path, (8, 8, 3))
    writer.append([5, 10, 15], images[:3])
    reader.refresh()
    writer.append(later, images[3:])
    reader.refresh()
    asked = [*reversed(later), 15, 5]
    found = reader.read(reader.rows_for(asked))
    places = [*reversed(range(3, 3 + len(later))), 2, 0]
    assert np.array_equal(found, images[places])
    assert reader.missing([1, *later, 99]).tolist() == [1, 99]


def test_a_store_that_was_made_anew_is_read_anew(tmp_path: Path) -> None:
    folder, images = tmp_path / "store", pictures(6)
    reader = ShardStore(folder, (8, 8, 3))
    reader.append([1, 2, 3], images[:3])
    assert np.array_equal(reader.read(np.array([2, 0])), images[[2, 0]])  # mapped
    shutil.rmtree(folder)
    reader.refresh()
    assert reader.missing([1, 2, 3]).tolist() == [1, 2, 3]
    ShardStore(folder, (8, 8, 3)).append([3, 1], images[4:])
    reader.refresh()
    assert reader.missing([1, 2, 3]).tolist() == [2]
    assert np.array_equal(reader.read(reader.rows_for([1, 3])), images[[5, 4]])


@pytest.mark.usefixtures("small_shards")
def test_a_shard_that_was_cut_short_is_no_picture(tmp_path: Path) -> None:
    store = ShardStore(tmp_path, (8, 8, 3))
    store.append(range(5), pictures(5))
    os.truncate(tmp_path / "shard-00000.u8", 300)
    with pytest.raises(OSError, match=r"shard-00000.u8 is cut short"):
        store.read(np.arange(5))


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    writer = ShardStore(tmp_path, (8, 8, 3))
    writer.append([1], pictures(1))
    with writer._writing():
        reader = ShardStore(tmp_path, (8, 8, 3))
        assert np.array_equal(reader.read(reader.rows_for([1])), pictures(1))


def append_ten(folder: Path, start: int) -> None:
    store = ShardStore(folder, (8, 8, 3))
    for one in range(start, start + 10):
        store.append([one], pictures(1, seed=one))


def test_two_writers_take_turns_and_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    writers = [context.Process(target=append_ten, args=(tmp_path, n)) for n in (0, 10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    store = ShardStore(tmp_path, (8, 8, 3))
    assert sorted(store.ids.tolist()) == list(range(20))
    for one in range(20):
        assert np.array_equal(store.read(store.rows_for([one])), pictures(1, seed=one))


def test_a_store_of_other_images_is_refused(tmp_path: Path) -> None:
    store = ShardStore(tmp_path, (8, 8, 3))
    with pytest.raises(ValueError, match="8x8x3"):
        ShardStore(tmp_path, (16, 16, 3))
    with pytest.raises(ValueError, match="uint8"):
        store.append([1], pictures(1).astype(float))
    with pytest.raises(ValueError, match="must be"):
        store.append([1, 2], pictures(1))


def test_a_wide_picture_fits_whole_between_grey_bands() -> None:
    prepared = prepare_image(Image.new("RGB", (40, 20), (255, 0, 0)), 32, 3)
    assert prepared.shape == (32, 32, 3)
    assert prepared[0, 0].tolist() == [128, 128, 128]
    assert prepared[16, 0].tolist() == [255, 0, 0]
    assert (prepared == [255, 0, 0]).all(axis=2).sum() == 32 * 16


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "I"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_picture_becomes_bytes(mode: str, channels: int) -> None:
    prepared = prepare_image(Image.new(mode, (5, 9)), 16, channels)
    assert prepared.shape == (16, 16, channels)
    assert prepared.dtype == np.uint8


def test_sixteen_bit_grey_keeps_its_greys() -> None:
    deep = Image.fromarray(np.full((8, 8), 32768, dtype=np.uint16))
    assert (prepare_image(deep, 8, 1) == 128).all()
    plain = Image.fromarray(np.full((8, 8), 200, dtype=np.uint16))
    assert (prepare_image(plain, 8, 1) == 200).all()


@pytest.mark.parametrize("value", [0.5, 200.0, np.nan, np.inf])
def test_pixels_that_are_fractions_or_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="fractions"):
        prepare_image(Image.fromarray(np.full((8, 8), value, dtype=np.float32)), 8, 1)


def test_transparency_lies_over_grey() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    assert (prepare_image(clear, 8, 3) == 128).all()
