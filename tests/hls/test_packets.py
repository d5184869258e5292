"""Packets as bytes: what is packed can be unpacked by other means, bad answers are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hls.csim.vectors import PacketModel
from hls.design.kinds.conv import weight_words
from hls.design.load import load_config
from hls.packets.packets import ERRORS, answer_words, identify_packet, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.base.errors import UserError
from model.integer.examples import random_model

CONFIG = load_config("srcnn915")


@pytest.mark.parametrize("network", ["srcnn915", "srcnn935", "srcnn955"])
def test_weight_words_hold_every_weight_once_where_the_hardware_looks_for_it(network):
    config = load_config(network)
    model = random_model(config.network, np.random.default_rng(1))
    for stage, layer in zip(config.stages, model.layers):
        data = weight_words(stage, layer.weight).astype("<u8").tobytes()
        assert len(data) == 8 * stage.fold * stage.pe * stage.weight_beats
        k, in_ch = stage.layer.k, stage.layer.in_ch
        rng = np.random.default_rng(2)
        for _ in range(500):
            o, i, j, c = (rng.integers(n) for n in layer.weight.shape)
            if stage.scatter:  # output o, i, j of a 1x1 layer, tap c
                out, tap = (o * k + i) * k + j, c
            else:  # columns first
                out, tap = o, (j * k + i) * in_ch + c
            word = (out // stage.pe * stage.tap_fold + tap // stage.simd) * stage.pe + out % stage.pe
            byte = data[word * stage.weight_beats * 8 + tap % stage.simd]
            assert np.int8(byte if byte < 128 else byte - 256) == layer.weight[o, i, j, c]


@settings(max_examples=200)
@given(
    height=st.integers(13, 60), width=st.integers(13, 60), tag=st.integers(0, 2**32 - 1), seed=st.integers(0, 2**32 - 1)
)
def test_tile_packet_is_header_and_pixels_in_order(height, width, tag, seed):
    tile = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    buffer = np.full(4000, 2**64 - 1, np.uint64)
    words = tile_packet(CONFIG, tile, tag, out=buffer)
    assert np.array_equal(words, tile_packet(CONFIG, tile, tag))
    data = words.astype("<u8").tobytes()
    assert data[:3] == b"SR\x03" and data[4:8] == CONFIG.config_id.to_bytes(4, "little")
    assert int.from_bytes(data[8:10], "little") == width and int.from_bytes(data[10:12], "little") == height
    assert int.from_bytes(data[12:16], "little") == tag
    assert data[16 : 16 + tile.size] == tile.tobytes()
    assert set(data[16 + tile.size :]) <= {0} and len(data) % 8 == 0


def test_tile_of_a_view_needs_no_copy_of_its_own():
    picture = np.arange(100 * 90, dtype=np.uint8).reshape(100, 90)
    view = picture[10:40, 20:60]
    assert np.array_equal(tile_packet(CONFIG, view), tile_packet(CONFIG, view.copy()))


@settings(max_examples=100)
@given(shapes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=6), seed=st.integers(0, 2**32 - 1))
def test_tile_answers_are_the_bytes_that_came(shapes, seed):
    rng = np.random.default_rng(seed)
    sent = [(int(rng.integers(0, 2**32)), rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
    data = b""
    for tag, pixels in sent:
        height, width = pixels.shape
        body = width.to_bytes(2, "little") + height.to_bytes(2, "little") + tag.to_bytes(4, "little") + pixels.tobytes()
        data += b"SR\x83\0" + CONFIG.config_id.to_bytes(4, "little") + body + bytes(-len(body) % 8)
    answers = parse_answers(np.frombuffer(data, np.uint64))
    assert [(a.command, a.status, a.config_id, a.tag) for a in answers] == [
        ("tile", 0, CONFIG.config_id, tag) for tag, _ in sent
    ]
    assert all(np.array_equal(a.pixels, pixels) for a, (_, pixels) in zip(answers, sent, strict=True))


def test_answers_are_parsed_in_order():
    model = PacketModel(CONFIG)
    small = np.zeros((14, 15), np.uint8)
    quant = random_model(CONFIG.network, np.random.default_rng(3))
    words = [
        *model.header("load", 0, 1),
        *model.tile_answer(quant, small, 2),
        *model.header("identify", 0, 3),
        CONFIG.max_width | CONFIG.max_height << 16,
        CONFIG.param_beats,
        *model.error("too_small", 4),
    ]
    answers = parse_answers(np.array(words, np.uint64))
    assert [a.command for a in answers] == ["load", "tile", "identify", "error"]
    assert [a.tag for a in answers] == [1, 2, 3, 4]
    assert answers[1].pixels.shape == (2, 3)
    assert answers[2].info == (CONFIG.max_width, CONFIG.max_height, CONFIG.param_beats)
    assert answers[3].status == ERRORS["too_small"]
    assert answer_words(CONFIG, 14, 15) == 3


@pytest.mark.parametrize(
    "words, message",
    [
        ([0x1234, 0], "no answer header"),
        ([0x83 << 16 | 0x5253], "no answer header"),
        ([0x83 << 16 | 0x5253, 9 | 9 << 16], "cut short"),
        ([0x81 << 16 | 0x5253, 0], "cut short"),
    ],
)
def test_broken_answers_are_refused(words, message):
    with pytest.raises(UserError, match=message):
        parse_answers(np.array(words, np.uint64))


def test_model_of_another_network_is_refused():
    model = random_model(load_config("srcnn935").network, np.random.default_rng(1))
    with pytest.raises(UserError, match="weights are of srcnn935"):
        load_packet(CONFIG, model)


@pytest.mark.parametrize(
    "shape, message", [((12, 40), "too small"), ((40, 12), "too small"), ((40, 1933), "wider"), ((4109, 40), "high")]
)
def test_tile_that_does_not_fit_is_refused(shape, message):
    with pytest.raises(UserError, match=message):
        tile_packet(CONFIG, np.zeros(shape, np.uint8))


def test_identify_is_two_words():
    assert len(identify_packet()) == 2
