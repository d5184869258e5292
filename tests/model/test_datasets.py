"""Pairs and patches: the batches are what they claim, for any seed, and need no data set."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base.errors import UserError
from model.data import datasets
from model.data.datasets import (
    Pairs,
    Patches,
    degrade,
    load_pairs,
    picture_files,
    read_picture,
    split,
    split_sets,
    training_sets,
)
from model.imaging.color import rgb_to_y
from model.imaging.resize import imresize, to_uint8


def coordinates(*shapes):
    """Pairs whose low picture is the row and whose high picture is the column of each pixel."""
    low = [np.indices(shape)[0].astype(np.uint8) for shape in shapes]
    high = [np.indices(shape)[1].astype(np.uint8) for shape in shapes]
    return Pairs(np.concatenate([p.ravel() for p in low]), np.concatenate([p.ravel() for p in high]), np.array(shapes))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "BUILD", tmp_path / "build")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(11)
    for i, shape in enumerate([(20, 31, 3), (17, 16, 3), (24, 24)]):
        cv2.imwrite(str(pictures / f"p{i}.png"), rng.integers(0, 256, shape, np.uint8))
    return pictures


@settings(deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(0, 1000),
    st.sampled_from(["random", "ordered"]),
    st.booleans(),
    st.integers(0, 2),
)
def test_patches_are_squares_of_the_pictures(seed, step, order, augment, border):
    size = 7
    patches = Patches(coordinates((12, 20), (5, 5), (9, 8)), size, border, order, 3, 6, seed, augment)
    rows, columns = (np.round(255 * part[..., 0]).astype(int) for part in patches(step))
    inner = slice(border, size - border)
    assert rows.shape == (6, size, size) and columns.shape == (6, size - 2 * border, size - 2 * border)
    for row, column in zip(rows, columns):
        row = row[inner, inner]
        if np.all(row == row[:, :1]):  # not transposed
            down, across = np.diff(row, axis=0), np.diff(column, axis=1)
            assert np.all(column == column[:1])
        else:
            assert augment and np.all(row == row[:1]) and np.all(column == column[:, :1])
            down, across = np.diff(row, axis=1), np.diff(column, axis=0)
        # neighbours stay neighbours; only in the replicated border (picture edge) may they be equal
        for step_of in (down, across):
            assert set(np.unique(step_of)) <= ({0, 1} if not augment else {-1, 0, 1})
            if border == 0:
                assert len(np.unique(step_of)) == 1 and step_of.ravel()[0] != 0


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("colours", [(), (3,)], ids=["y", "rgb"])
@settings(deadline=None, max_examples=20, derandomize=True)
@given(seed=st.integers(0, 2**31), augment=st.booleans(), border=st.integers(0, 2))
def test_patches_of_two_sizes_show_the_same_place(scale, colours, seed, augment, border):
    """The low picture is every scale-th pixel of the true one, whichever way a patch is turned."""
    rng = np.random.default_rng(seed)
    highs = [rng.integers(0, 256, (h * scale, w * scale, *colours)).astype(np.uint8) for h, w in ((9, 12), (7, 8))]
    # replicated edges, so that the border outside the picture obeys the same rule
    pairs = Pairs.of(((high[::scale, ::scale], high) for high in highs), scale)
    for (low, high), true in zip(pairs.pictures(), highs, strict=True):
        assert np.array_equal(high, true) and np.array_equal(low, true[::scale, ::scale])
    low, high = Patches(pairs, 6, border, "random", batch=9, seed=seed, augment=augment)(seed % 50)
    channels = 3 if colours else 1
    assert low.shape == (9, 6, 6, channels) and high.shape == (9, *[(6 - 2 * border) * scale] * 2, channels)
    inner = low[:, border : 6 - border, border : 6 - border]
    for one, true in zip(inner, high):
        corners = [true[i::scale, j::scale] for i in (0, scale - 1) for j in (0, scale - 1)]
        found = [np.array_equal(one, corner) for corner in corners]
        assert any(found) and (augment or found[0])  # a flip brings the sampled pixel to another corner


@settings(deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["random", "ordered"]))
def test_a_batch_depends_on_seed_and_step_alone(seed, order):
    pairs = coordinates((12, 20), (9, 8))
    first = Patches(pairs, 5, 1, order, 2, 8, seed)
    again = Patches(pairs, 5, 1, order, 2, 8, seed)
    for step in (3, 0, 17, 1, 3):  # in any order
        for a, b in zip(first(step), again(step)):
            assert np.array_equal(a, b)
        first(step + 5)
    assert not np.array_equal(first(0)[0], first(1)[0])


def test_an_ordered_epoch_shows_every_position_once():
    pairs = coordinates((11, 14), (8, 8))
    patches = Patches(pairs, 5, 0, "ordered", 3, 4, seed=5, augment=False)
    positions = 3 * 4 + 2 * 2
    assert patches.steps_per_epoch == positions // 4
    for epoch in (0, 1):
        corners = []
        for step in range(patches.steps_per_epoch):
            low, high = patches(step + epoch * patches.steps_per_epoch)
            corners += list(zip(np.round(255 * low[:, 0, 0, 0]), np.round(255 * high[:, 0, 0, 0])))
        expected = [(r, c) for r in (0, 3, 6) for c in (0, 3, 6, 9)] + [(r, c) for r in (0, 3) for c in (0, 3)]
        assert sorted(corners) == sorted(expected)


def test_random_patches_are_spread_over_all_pictures_and_symmetries():
    patches = Patches(coordinates((12, 20), (9, 8)), 7, 0, "random", batch=4000, seed=1)
    low, high = (np.round(255 * part[..., 0]).astype(int) for part in patches(0))
    kinds = set(
        zip(
            low[:, 1, 0] - low[:, 0, 0],
            low[:, 0, 1] - low[:, 0, 0],
            high[:, 1, 0] - high[:, 0, 0],
            high[:, 0, 1] - high[:, 0, 0],
        )
    )
    assert len(kinds) == 8
    top_left = np.array(list(zip(low.min((1, 2)), high.min((1, 2)))))
    counts = np.unique(top_left, axis=0, return_counts=True)[1]
    assert len(counts) == 6 * 14  # every position of the larger picture (the smaller one's are among them)
    assert counts.min() > 10


@pytest.mark.parametrize("upscale", [2, 3, 4])
@pytest.mark.parametrize("degradation", ["standard", "opencv"])
def test_degrade(upscale, degradation):
    picture = np.random.default_rng(upscale).integers(0, 256, (23, 18, 3), np.uint8)
    low, high = degrade(picture, upscale, degradation)
    shape = (23 // upscale * upscale, 18 // upscale * upscale)
    assert low.shape == high.shape == shape and low.dtype == high.dtype == np.uint8
    grey = np.full((13, 9), 77, np.uint8)
    for part in degrade(grey, upscale, degradation):
        assert (part == 77).all()
    if degradation == "standard":
        assert np.array_equal(high, rgb_to_y(picture)[: shape[0], : shape[1]])
        assert np.array_equal(low, to_uint8(imresize(imresize(high.astype(float), 1 / upscale), upscale)))
    else:
        small = cv2.resize(
            picture[: shape[0], : shape[1]], (shape[1] // upscale, shape[0] // upscale), interpolation=cv2.INTER_CUBIC
        )
        back = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)
        assert np.array_equal(low, cv2.cvtColor(back, cv2.COLOR_RGB2YCrCb)[:, :, 0])


@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_degrade_for_networks_at_low_resolution(upscale):
    """What they see is what `Case.small` is: rounded once, not brought up again."""
    picture = np.random.default_rng(upscale).integers(0, 256, (61, 58, 3), np.uint8)
    low, high = degrade(picture, upscale, kind="y")
    assert np.array_equal(high, rgb_to_y(picture)[: 61 // upscale * upscale, : 58 // upscale * upscale])
    assert np.array_equal(low, to_uint8(imresize(high.astype(float), 1 / upscale)))
    low, high = degrade(picture, upscale, kind="rgb")
    assert np.array_equal(high, picture[: 61 // upscale * upscale, : 58 // upscale * upscale])
    for channel in range(3):
        assert np.array_equal(low[..., channel], to_uint8(imresize(high[..., channel].astype(float), 1 / upscale)))
    assert degrade(picture[..., 0], upscale, kind="rgb")[0].shape == low.shape  # grey pictures count as colour, too
    assert degrade(picture, upscale, "opencv", "y")[0].shape == low.shape[:2]


def test_pairs_of_every_kind_are_cached_apart(folder):
    files = picture_files(folder)
    for kind, scale, shape in (("upscaled", 1, ()), ("y", 3, ()), ("rgb", 3, (3,)), ("y", 3, ())):
        pairs = load_pairs(files, 3, kind=kind)
        assert pairs.scale == scale and pairs.low.shape[1:] == pairs.high.shape[1:] == shape
        assert len(pairs.high) == scale**2 * len(pairs.low)


def test_sets_by_name_and_folder(folder, tmp_path, monkeypatch):
    """What T91 holds out stays held out, whatever is trained on beside it."""
    for name, count in (("T91", 13), ("More", 14), ("Set5", 1)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(count):
            (tmp_path / "data" / name / f"{i:02}.png").write_bytes(name.encode() + bytes([i]))
    monkeypatch.setenv("SRCNN_DATA", str(tmp_path / "data"))

    def names(files):
        return [f"{path.parent.name}/{path.stem}" for path in files]

    assert names(split_sets(training_sets(""))[1]) == names(split_sets(training_sets("T91"))[1]) == ["T91/05"]
    train, validation = split_sets(training_sets("T91+More"))
    assert names(validation) == ["T91/05", "More/05"] and len(train) == 12 + 13
    assert training_sets(str(folder)) == [picture_files(folder)]
    assert [len(files) for files in training_sets(f"T91+{folder}")] == [13, 3]
    with pytest.raises(UserError, match="folder of pictures"):
        training_sets("T91+absent")


def test_a_jpeg_is_trained_on_only_where_it_is_shrunk(folder):
    picture = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    for suffix in ("png", "jpg"):
        cv2.imwrite(str(folder / f"q.{suffix}"), picture)
    shapes = {
        (suffix, factors): load_pairs([folder / f"q.{suffix}"], 3, rescales=factors).shapes.tolist()
        for suffix in ("png", "jpg")
        for factors in ((1.0, 0.5), (1.0,))
    }
    assert shapes["png", (1.0, 0.5)] == [[24, 30], [12, 15]] and shapes["jpg", (1.0, 0.5)] == [[12, 15]]
    assert shapes["png", (1.0,)] == shapes["jpg", (1.0,)] == [[24, 30]]  # validation measures it as it is


def test_pairs_are_cached_by_contents_and_parameters(folder, tmp_path):
    files = picture_files(folder)
    cache = tmp_path / "build" / "cache"
    pairs = load_pairs(files, 3, "standard", (1.0, 0.5))
    assert len(pairs.shapes) == 6 and len(list(cache.iterdir())) == 1
    for (low, high), (_, true) in zip(list(pairs.pictures())[::2], [degrade(read_picture(f), 3) for f in files]):
        assert low.shape == high.shape and np.array_equal(high, true)
    stored = next(cache.iterdir())
    again = load_pairs(files, 3, "standard", (1.0, 0.5))
    assert np.array_equal(again.low, pairs.low)
    stored.write_bytes(b"damaged")
    assert np.array_equal(load_pairs(files, 3, "standard", (1.0, 0.5)).low, pairs.low)
    for other in ((2, "standard", (1.0, 0.5)), (3, "opencv", (1.0, 0.5)), (3, "standard", (1.0,))):
        load_pairs(files, *other)
    cv2.imwrite(str(files[0]), np.zeros((9, 9), np.uint8))
    load_pairs(files, 3, "standard", (1.0, 0.5))
    assert len(list(cache.iterdir())) == 5


def test_split_keeps_twins_together(tmp_path):
    files = []
    for i in range(30):
        files.append(tmp_path / f"{i:02}.png")
        files[-1].write_text(str(i % 25))
    train, validation = split(files)
    assert len(train) + len(validation) == 25 and len(validation) == 2
    assert not {f.read_text() for f in train} & {f.read_text() for f in validation}
    assert split(files[:1]) == (files[:1], files[:1])


def test_bad_input(folder, tmp_path):
    with pytest.raises(UserError, match="folder"):
        picture_files(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no pictures"):
        picture_files(tmp_path / "empty")
    (folder / "q.png").write_bytes((folder / "p0.png").read_bytes()[:40])
    with pytest.raises(UserError, match="q.png"):
        load_pairs(picture_files(folder), 3)
    with pytest.raises(UserError, match="patch of 50"):
        Patches(coordinates((20, 20)), 50)
    cv2.imwrite(str(folder / "q.png"), np.zeros((1, 1), np.uint8))
    with pytest.raises(UserError, match="x3"):
        load_pairs([folder / "q.png"], 3)
