"""Bitstreams taken apart: packets and their CRC, frames and their check bits, on a made part of five frames a row."""

import json
import struct

import numpy as np
import pytest

from hls.readback import bitfile
from model.base.errors import UserError

ROW = {
    "configuration_buses": {"CLB_IO_CLK": {"configuration_columns": {"0": {"frame_count": 3}, "1": {"frame_count": 2}}}}
}
PART = {"global_clock_regions": {"top": {"rows": {"0": ROW}}, "bottom": {"rows": {"0": ROW}}}}
ADDRESSES = [0, 1, 2, 0x80, 0x81, 0x400000, 0x400001, 0x400002, 0x400080, 0x400081]
CMD_RCRC, CMD_DESYNC = 7, 13


def crc(written):
    """Bit by bit, as UG470 has it: the word's bits, then the five of the register's address, into a shift register."""
    state = 0
    for register, words in written:
        for word in words:
            for bit in [*(word >> k & 1 for k in range(32)), *(register >> k & 1 for k in range(5))]:
                state = state >> 1 ^ (0x82F63B78 if bit ^ state & 1 else 0)
    return state


def packet(register, words, long=False):
    if long:
        return [1 << 29 | 2 << 27 | register << 13, 2 << 29 | 2 << 27 | len(words), *words]
    return [1 << 29 | 2 << 27 | register << 13 | len(words), *words]


def stream(parts, checked=True):
    """A file: writes (register, words), and a CRC behind them."""
    words = [*packet(bitfile.CMD, [CMD_RCRC])]
    for register, content in parts:
        words += packet(register, content, len(content) > 100)
    if checked:
        words += packet(bitfile.CRC, [crc(parts)])
    words += packet(bitfile.CMD, [CMD_DESYNC]) + [0x20000000] * 4
    return b"\xff" * 8 + bitfile.SYNC + struct.pack(f">{len(words)}I", *words)


@pytest.fixture
def order(tmp_path):
    (tmp_path / "part.json").write_text(json.dumps(PART))
    return bitfile.frame_addresses(tmp_path / "part.json")


@pytest.fixture
def content():
    return np.random.default_rng(3).integers(0, 1 << 32, (15, bitfile.WORDS)).tolist()


def whole(content):
    return [(bitfile.IDCODE, [0x1234]), (bitfile.FAR, [0]), (bitfile.FDRI, sum(content, []))]


def test_frames_are_where_the_device_counts_them(order, content):
    assert order.tolist() == [*ADDRESSES[:5], -1, -1, *ADDRESSES[5:], -1, -1]
    frames = bitfile.read_frames(stream(whole(content)), order)
    assert frames.addresses.tolist() == ADDRESSES and frames.idcode == 0x1234 and frames.crc_checks == 1
    kept = [row for row, address in enumerate(order) if address >= 0]
    for row, address in enumerate(ADDRESSES):
        words = content[kept[row]]
        expected = [bool(words[w] >> b & 1) for w in range(bitfile.WORDS) for b in range(32)]
        assert frames.bits[frames.row[address]].tolist() == expected, hex(address)


def test_one_frame_may_be_written_alone_and_to_several_places(order, content):
    parts = [(bitfile.FAR, [0x400002]), (bitfile.FDRI, content[0]), (bitfile.FAR, [0x81]), (bitfile.MFWR, [0, 0])]
    frames = bitfile.read_frames(stream(parts), order)
    assert frames.bits.any(1).tolist() == [address in (0x400002, 0x81) for address in ADDRESSES]
    assert (frames.bits[frames.row[0x81]] == frames.bits[frames.row[0x400002]]).all()


@pytest.mark.parametrize(
    "damage, says",
    [
        (lambda data: data.replace(bitfile.SYNC, b"\0\0\0\0"), "no bitstream"),
        (lambda data: data[:2000], "cut short"),
        (lambda data: data[:1000] + bytes([data[1000] ^ 1]) + data[1001:], "CRC"),
    ],
)
def test_what_is_no_bitstream_is_refused(order, content, damage, says):
    with pytest.raises(UserError, match=says):
        bitfile.read_frames(damage(stream(whole(content))), order, "design.bit")


def test_a_bitstream_of_another_part_is_refused(order, content):
    with pytest.raises(UserError, match="does not fit the part"):
        bitfile.read_frames(stream([(bitfile.FAR, [0x1000]), (bitfile.FDRI, content[0])]), order)
    with pytest.raises(UserError, match="does not fit the part"):
        bitfile.read_frames(stream([(bitfile.FAR, [0]), (bitfile.FDRI, sum(content * 2, []))]), order)


def test_check_bits_find_every_single_bit():
    """Each bit changes the check bits in a way of its own: the code can tell which one is wrong."""
    flips = np.eye(bitfile.BITS, dtype=bool)
    syndromes = bitfile.ecc(flips) ^ bitfile.stored_ecc(flips)
    numbers = syndromes @ (1 << np.arange(bitfile.ECC_BITS))
    own = slice(32 * bitfile.ECC_WORD, 32 * bitfile.ECC_WORD + bitfile.ECC_BITS)
    others = np.delete(numbers, np.arange(bitfile.BITS)[own])
    assert len(set(others.tolist())) == len(others) and 0 not in others
    assert syndromes[own].sum(1).tolist() == [1] * bitfile.ECC_BITS


def test_frames_with_wrong_check_bits_are_counted(order, content):
    bits = np.unpackbits(np.array(content, "<u4").view(np.uint8), axis=1, bitorder="little").view(bool)
    bitfile.stored_ecc(bits)[...] = bitfile.ecc(bits)
    right = np.packbits(bits, axis=1, bitorder="little").view("<u4")
    assert bitfile.read_frames(stream(whole(right.tolist())), order).ecc_wrong == 0
    right[2, 7] ^= 1 << 9
    assert bitfile.read_frames(stream(whole(right.tolist())), order).ecc_wrong == 1
