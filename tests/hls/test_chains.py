"""Nothing counts to three: chains of any depth, halo, folding and number of outputs give the golden model's bits in C
simulation.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hls.csim.accelerator import CsimTop
from hls.csim.vectors import top_beats
from hls.design.cycles import tile_cycles
from hls.packets.packets import answer_words, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.integer import golden
from model.integer.examples import random_input, random_model
from tests.chains import chains, graphs

pytest.importorskip("ziglang", reason="the native build of the kernels needs the package ziglang (make setup)")


def drawn(count):
    """So many examples, the same every time; a failing one is not shrunk, as each costs a compilation."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@drawn(32)
@given(config=chains(), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_chains(config, seed, data):
    give_the_golden_bits(config, seed, data)


@drawn(12)
@given(config=graphs(), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_graphs(config, seed, data):
    give_the_golden_bits(config, seed, data)


def give_the_golden_bits(config, seed, data):
    """Tiles of several sizes in one transfer, stage by stage, then clock by clock with bounded FIFOs."""
    rng, network = np.random.default_rng(seed), config.network
    top, halo = CsimTop(config), network.halo
    sizes = [
        (data.draw(st.integers(1, config.tile_height)), data.draw(st.integers(1, config.tile_width))) for _ in range(3)
    ]
    for extreme in (False, True):
        model = random_model(network, rng, extreme)
        tiles = [random_input(network, rng, height + 2 * halo, width + 2 * halo) for height, width in sizes]
        expected = [golden.infer_valid(model, tile) for tile in tiles]
        packets = [tile_packet(config, tile, tag) for tag, tile in enumerate(tiles)]
        for clocked in (False, True):
            words = top.transfer(np.concatenate([load_packet(config, model), *packets]), clocked=clocked)
            assert len(words) == 2 + sum(answer_words(config, *tile.shape[:2]) for tile in tiles)
            answers = parse_answers(words, network.out_ch)
            assert [answer.tag for answer in answers[1:]] == [0, 1, 2]
            for answer, right in zip(answers[1:], expected, strict=True):
                assert np.array_equal(answer.pixels, right)


@drawn(10)
@given(config=chains(sides=st.integers(9, 20)), seed=st.integers(0, 2**32 - 1))
def test_every_packet_and_every_error(config, seed):
    given_beats, expected = (np.array(beats, np.uint64) for beats in top_beats(config, np.random.default_rng(seed)))
    beats, last = CsimTop(config).beats(given_beats[:, 0], given_beats[:, 1], given_beats[:, 2])
    assert np.array_equal(beats, expected[:, 0]) and np.array_equal(last, expected[:, 2])


@drawn(4)
@given(config=graphs(sides=st.integers(9, 12)), seed=st.integers(0, 2**32 - 1))
def test_every_packet_and_every_error_of_graphs(config, seed):
    test_every_packet_and_every_error.hypothesis.inner_test(config, seed)


@drawn(8)
@given(config=chains(sides=st.integers(24, 40)), seed=st.integers(0, 2**32 - 1))
def test_cycles_of_queued_tiles(config, seed):
    """A queued tile takes the cycles of the model, and up to a fifth more in small tiles, where stage after stage
    waits for its first rows.
    """
    rng, halo = np.random.default_rng(seed), config.network.halo
    height, width = config.tile_height, config.tile_width
    top, model = CsimTop(config), random_model(config.network, rng)
    top.transfer(load_packet(config, model))
    packet = tile_packet(config, random_input(config.network, rng, height + 2 * halo, width + 2 * halo))
    cycles = []
    for count in (1, 3):
        top.transfer(np.concatenate([packet] * count), clocked=True)
        cycles.append(top.cycles)
    per_tile, modelled = (cycles[1] - cycles[0]) / 2, tile_cycles(config, height, width)
    assert modelled <= per_tile <= 1.2 * modelled, f"{per_tile} cycles, the model says {modelled}"
