"""Pictures through the pipeline: band by band equals step by step, many equal one by one, and the host's steps overlap
with the board's.
"""

import contextlib
import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hls.design.load import load_config
from host.board.driver import Driver
from host.picture.backends import GoldenBackend
from host.picture.pipeline import Clock, bytes_per_pixel, upscale_many, upscale_picture
from model.base.errors import UserError
from model.imaging import color
from model.imaging.files import Picture
from model.imaging.resize import upscale_bicubic
from model.imaging.transparency import extend_colours
from model.integer import golden
from tests.boards.drivers import write_overlay
from tests.random_models import random_model, random_rgb_model
from tests.stand_ins.pynq.fake_pynq import FakePynq

MODELS = {upscale: random_model("srcnn915", upscale) for upscale in (2, 3, 4)}
VIDEO = [random_model("abpn8m2", 2), random_model("abpn8m5", 3), random_model("abpn12m4", 4), random_rgb_model()]
SIDE = st.integers(1, 14)


def make_picture(height, width, channels, seed=0, dtype=np.uint8):
    """1: grey, 2: grey with transparency, 3: RGB, 4: RGB with transparency."""
    white = np.iinfo(dtype).max
    values = np.random.default_rng(seed).integers(0, white + 1, (height, width, channels)).astype(dtype)
    if channels in (2, 4):
        values[:, :, -1] *= values[:, :, -1] > white // 3  # hidden places
    alpha = np.ascontiguousarray(values[:, :, -1]) if channels in (2, 4) else None
    return Picture(values[:, :, 0] if channels < 3 else values[:, :, :3], alpha, b"profile", ("a note",))


def step_by_step(picture, model):
    """All planes bicubic, what the network takes through the network as a whole, then the merge."""
    reach = 4 + math.ceil(model.network.halo * model.network.scale / model.upscale)
    visible = extend_colours(picture.pixels, picture.alpha, reach)
    if picture.deep:
        return deep_step_by_step(picture, visible, model)
    picture = dataclasses.replace(picture, pixels=visible)
    grey, kind = picture.pixels.ndim == 2, model.network.input
    if kind == "rgb":
        pixels = golden.infer(model, np.dstack([picture.pixels] * 3) if grey else picture.pixels, workers=1)
        pixels = np.floor(pixels.mean(axis=2) + 0.5).astype(np.uint8) if grey else pixels
    else:
        planes = [picture.pixels] if grey else list(cv2.split(color.rgb_to_ycbcr(picture.pixels)))
        large = [upscale_bicubic(plane, model.upscale) for plane in planes]
        y = golden.infer(model, large[0] if kind == "upscaled" else planes[0], workers=1)
        pixels = y if grey else color.ycbcr_to_rgb(cv2.merge([y, *large[1:]]))
    return pixels, None if picture.alpha is None else upscale_bicubic(picture.alpha, model.upscale)


def deep_step_by_step(picture, visible, model):
    """Bicubic in 16 bits, and what the network adds to bicubic in 8."""
    grey, kind = visible.ndim == 2, model.network.input
    small = np.floor(visible / 257 + 0.5).astype(np.uint8)
    if kind == "rgb":
        small = np.dstack([small] * 3) if grey else small
        before, after = upscale_bicubic(small, model.upscale), golden.infer(model, small, workers=1)
        if grey:
            before, after = (np.floor(array.mean(axis=2) + 0.5) for array in (before, after))
        gain = 257
    else:
        y = small if grey else np.ascontiguousarray(color.rgb_to_ycbcr(small)[:, :, 0])
        before = upscale_bicubic(y, model.upscale)
        after = golden.infer(model, before if kind == "upscaled" else y, workers=1)
        gain = 257 if grey else 257 * 255 / 219  # from Y's 16..235
    added = after.astype(int) - before
    added = np.rint(np.where(np.abs(added) < 2, 0, added) * gain)
    added = added[:, :, None] if visible.ndim == 3 and added.ndim == 2 else added
    pixels = np.clip(upscale_bicubic(visible, model.upscale) + added, 0, 65535).astype(np.uint16)
    return pixels, None if picture.alpha is None else upscale_bicubic(picture.alpha, model.upscale)


def assert_same(result, picture, model):
    pixels, alpha = step_by_step(picture, model)
    np.testing.assert_array_equal(result.pixels, pixels)
    np.testing.assert_array_equal(result.alpha, alpha)
    assert (result.icc, result.notes) == (picture.icc, picture.notes)


@settings(max_examples=60, deadline=None, print_blob=True)
@given(
    model=st.sampled_from([*MODELS.values(), *VIDEO]),
    height=SIDE,
    width=SIDE,
    channels=st.integers(1, 4),
    tile=st.one_of(st.none(), st.tuples(st.integers(8, 60), st.integers(8, 60))),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    seed=st.integers(0, 2**32 - 1),
)
def test_band_by_band_is_step_by_step(model, height, width, channels, tile, dtype, seed):
    picture = make_picture(height, width, channels, seed, dtype)
    assert_same(upscale_picture(picture, GoldenBackend(model), tile), picture, model)


class Fragile(GoldenBackend):
    """Fails at some tiles of its life, or before it asks for the first of a stream; counts both."""

    def __init__(self, model, bad_tiles=(), bad_streams=()):
        super().__init__(model)
        self.bad_tiles, self.bad_streams, self.tiles, self.streams = bad_tiles, bad_streams, 0, 0

    def infer(self, tiles, clock=None):
        self.streams += 1
        if self.streams - 1 in self.bad_streams:
            raise UserError("the stream failed; try again")
        for tile in tiles:
            self.tiles += 1
            if self.tiles - 1 in self.bad_tiles:
                raise UserError("the tile failed; try again")
            yield golden.infer_valid(self.model, tile, 1)


PICTURES = [make_picture(5 + i, 9, 1 + i % 4, i) for i in range(5)]
TILE = (8, 20)  # 15 to 27 rows of 27 pixels: 4, 6, 6, 6 and 8 tiles


@pytest.mark.parametrize(
    "bad_tiles, bad_streams", [((), ()), ((0,), ()), ((5,), ()), ((29,), ()), ((2, 12), ()), ((), (0,)), ((3,), (2,))]
)
def test_many_pictures_are_the_single_ones_whatever_fails_once(bad_tiles, bad_streams):
    backend, pixels = Fragile(MODELS[3], bad_tiles, bad_streams), []
    for i, (which, compute) in enumerate(upscale_many(enumerate(PICTURES), backend, TILE, None, pixels.append)):
        assert which == i
        try:
            result = compute()
        except UserError:
            result = compute()
        assert_same(result, PICTURES[i], MODELS[3])
    assert i == len(PICTURES) - 1
    total = sum(9 * picture.pixels.size // (1 if picture.pixels.ndim == 2 else 3) for picture in PICTURES)
    assert sum(pixels) == total if not (bad_tiles or bad_streams) else sum(pixels) >= total
    assert backend.streams == 1 or bad_tiles or bad_streams


@pytest.mark.parametrize("bad_tiles, bad_streams", [(range(1000), ()), ((), range(1000))])
def test_a_backend_that_always_fails_says_so_for_every_picture(bad_tiles, bad_streams):
    count = 0
    for _, compute in upscale_many(enumerate(PICTURES), Fragile(MODELS[3], bad_tiles, bad_streams), TILE):
        with pytest.raises(UserError, match="failed; try again"):
            compute()
        count += 1
    assert count == len(PICTURES)


def test_no_pictures():
    assert list(upscale_many([], GoldenBackend(MODELS[3]))) == []
    assert list(upscale_many([], Fragile(MODELS[3], bad_streams=range(1000)))) == []


def test_a_tile_size_that_the_backend_refuses():
    backend = GoldenBackend(MODELS[3])
    backend.largest_tile = (10, 10)
    for which, compute in upscale_many(enumerate(PICTURES), backend, (11, 8)):  # noqa: B007
        with pytest.raises(UserError, match="8x11 is larger than golden takes"):
            compute()
    assert which == len(PICTURES) - 1


@pytest.mark.parametrize("error", [UserError("a broken file"), RuntimeError("a bug")])
def test_an_error_of_the_pictures_comes_after_what_is_under_way(error):
    def pictures():
        yield from enumerate(PICTURES[:2])
        raise error

    seen = []
    with pytest.raises(type(error), match=str(error)):
        for which, compute in upscale_many(pictures(), GoldenBackend(MODELS[3])):
            assert_same(compute(), PICTURES[which], MODELS[3])
            seen.append(which)
    assert seen == [0, 1]


class LoggingClock(Clock):
    """Writes the host's steps into the software board's log."""

    def __init__(self, log):
        super().__init__()
        self.log = log

    @contextlib.contextmanager
    def __call__(self, step):
        self.log.append(step)
        with super().__call__(step):
            yield


class BoardBackend(GoldenBackend):
    """A driver on a software board."""

    def __init__(self, folder, batch_bytes):
        super().__init__(MODELS[3])
        self.board = FakePynq(load_config("srcnn915", "pynq_z2"), MODELS[3])
        self.driver = Driver(write_overlay(folder), MODELS[3], pynq=self.board, batch_bytes=batch_bytes)
        self.board.log.clear()

    def infer(self, tiles, clock=None):
        return self.driver.infer(tiles, clock)


def steps_during_transfers(log):
    """Return for each transfer the host's steps between its start and its end."""
    steps, running = [], False
    for entry in log:
        if entry == "send":
            steps.append(set())
            running = True
        elif entry == "done":
            running = False
        elif running:
            steps[-1].add(entry)
    return steps


def test_bands_of_one_picture_overlap_with_the_board(tmp_path):
    """While a transfer is under way the next band is prepared and packed, and the last one merged."""
    picture = make_picture(40, 10, 3)
    backend = BoardBackend(tmp_path, batch_bytes=1000)
    assert_same(upscale_picture(picture, backend, (20, 30), LoggingClock(backend.board.log)), picture, MODELS[3])
    backend.driver.close()
    first, *middle, last = steps_during_transfers(backend.board.log)
    assert {"bicubic", "pack"} <= first
    assert len(middle) == 4 and all({"bicubic", "pack", "unpack", "merge"} <= steps for steps in middle)
    assert {"unpack", "merge"} <= last
    assert backend.board.violations == []


def test_pictures_overlap_with_the_board(tmp_path):
    """While a picture is in the overlay the next one is taken from the source, through all steps up to its packets."""
    backend = BoardBackend(tmp_path, batch_bytes=1000)
    clock = LoggingClock(backend.board.log)

    def pictures():
        for i in range(6):
            with clock("read"):
                picture = make_picture(6, 10 + i, 3, i)
            yield i, picture

    for i, compute in upscale_many(pictures(), backend, None, clock):
        result = compute()
        with clock("write"):
            assert_same(result, make_picture(6, 10 + i, 3, i), MODELS[3])
    backend.driver.close()
    first, *middle, last_but_one, last = steps_during_transfers(backend.board.log)
    before, after = {"read", "colour", "bicubic", "pack"}, {"unpack", "merge", "write"}
    assert before <= first
    assert len(middle) == 3 and all(before | after <= steps for steps in middle)
    assert after <= last_but_one and after <= last
    assert backend.board.violations == []


def test_memory_is_asked_by_what_the_picture_is():
    """More channels, more bits and hungry encoders need more."""
    need = {
        (channels, width): bytes_per_pixel(channels, width, encoder=2.3)
        for channels in (1, 2, 3, 4)
        for width in (1, 2)
    }
    assert all(need[c, 1] < need[c, 2] for c in (1, 2, 3, 4)) and need[1, 1] < need[2, 1] < need[3, 1] < need[4, 1]
    assert bytes_per_pixel(3, 1, 14.5) > 40 > bytes_per_pixel(3, 1, 2.3) > 8.9
