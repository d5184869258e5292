"""A .bit file taken apart: configuration packets, their CRC, frames and their ECC (7 series; UG470, chapter 5).

A frame has 101 words of 32 bits; bit `b` of word `w` of the one at address `a` is `bits[row[a], 32 * w + b]`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib

import numpy as np

from model.base.errors import UserError

SYNC = bytes.fromhex("aa995566")
WORDS, BITS = 101, 3232  # of a frame
ECC_WORD, ECC_BITS = 50, 13  # where a frame keeps its own check bits
CRC, FAR, FDRI, CMD, MFWR, IDCODE = 0, 1, 2, 4, 10, 12  # registers
RCRC, DESYNC = 7, 13  # commands
PAD = 2  # frames behind each row of frames, without an address
POLYNOMIAL = 0x82F63B78  # CRC-32C, lowest bit first
BUSES = {"CLB_IO_CLK": 0, "BLOCK_RAM": 1, "CFG_CLB": 2}


@dataclasses.dataclass(frozen=True)
class Frames:
    """What a bitstream writes into the configuration memory.

    Attributes
    ----------
    addresses : numpy.ndarray
        uint32 (n,), of all frames of the part, in the order in which the device counts them.
    bits : numpy.ndarray
        bool (n, 3232); False where nothing was written.
    row : dict
        Address -> row of `bits`.
    idcode : int or None
        That of the device the file is for, if it says so.
    crc_checks : int
        Checks of the CRC in the file, all passed; the open tools write none.
    ecc_wrong : int
        Frames whose own check bits do not fit their content.
    """

    addresses: np.ndarray
    bits: np.ndarray
    row: dict[int, int]
    idcode: int | None
    crc_checks: int
    ecc_wrong: int


def frame_addresses(part_file: str | pathlib.Path) -> np.ndarray:
    """Return the addresses of all frames of a part, in the device's own order.

    Parameters
    ----------
    part_file : path-like
        Project X-Ray's `part.json`.

    Returns
    -------
    numpy.ndarray
        int64 (n,); -1 for the two frames without address that end each row.
    """
    halves = json.loads(pathlib.Path(part_file).read_text())["global_clock_regions"]
    found = []
    for bus, kind in BUSES.items():
        for low, half in enumerate(("top", "bottom")):
            rows = halves.get(half, {}).get("rows", {})
            for row in sorted(rows, key=int):
                columns = rows[row]["configuration_buses"].get(bus, {}).get("configuration_columns")
                if not columns:
                    continue
                for column in sorted(columns, key=int):
                    base = kind << 23 | low << 22 | int(row) << 17 | int(column) << 7
                    found += range(base, base + columns[column]["frame_count"])
                found += [-1] * PAD
    return np.array(found, np.int64)


def read_frames(data: bytes, order: np.ndarray, name: str = "the file") -> Frames:
    """Take a bitstream apart.

    Parameters
    ----------
    data : bytes
        Of a .bit or .bin file.
    order : numpy.ndarray
        As `frame_addresses` returns it.
    name : str
        For messages.

    Raises
    ------
    UserError
        If it is no bitstream, was cut short, does not fit the part, or a CRC in it is wrong.
    """
    at = data.find(SYNC)
    if at < 0:
        raise UserError(f"{name} is no bitstream: it has no synchronisation word; give a .bit or .bin file")
    words = np.frombuffer(data[at + 4 : at + 4 + (len(data) - at - 4) // 4 * 4], ">u4").astype(np.uint32)
    place = {int(address): index for index, address in enumerate(order) if address >= 0}
    memory = np.zeros((len(order), WORDS), np.uint32)
    idcode, checks, position, register, since = None, 0, 0, None, []
    pointer, held = None, None
    while position < len(words):
        header = int(words[position])
        position += 1
        kind, operation = header >> 29, header >> 27 & 3
        if kind == 1:
            register, count = header >> 13 & 31, header & 0x7FF
        elif kind == 2:
            count = header & 0x7FFFFFF
        else:  # filling at the end of a file
            continue
        if operation != 2:
            continue
        content = words[position : position + count]
        if len(content) < count:
            raise UserError(f"{name} was cut short: a packet of {count} words has {len(content)} left; copy it again")
        position += count
        if register == CRC and count:
            if int(content[0]) != _crc(since):
                raise UserError(f"{name} is damaged: its CRC is {_crc(since):#010x} where it says {content[0]:#010x}")
            checks, since = checks + 1, []
            continue
        since.append((register, content))
        if register == CMD and count and int(content[-1]) == RCRC:
            since = []
        elif register == CMD and count and int(content[-1]) == DESYNC:
            break
        elif register == IDCODE and count:
            idcode = int(content[0])
        elif register == FAR and count:
            pointer = place.get(int(content[0]))
        elif register == FDRI and count:
            if pointer is None or count % WORDS or pointer + count // WORDS - 1 > len(order):
                raise UserError(f"{name} does not fit the part: {count} words of frames from {pointer}; name its PART")
            frames = content.reshape(-1, WORDS)
            room = min(len(frames), len(order) - pointer)  # the last one only pushes the one before it in
            memory[pointer : pointer + room] = frames[:room]
            held = frames[0]
        elif register == MFWR and count and held is not None and pointer is not None:
            memory[pointer] = held  # one frame written to several addresses
    known = order >= 0
    memory = memory[known]
    addresses = order[known].astype(np.uint32)
    bits = np.unpackbits(memory.view(np.uint8), axis=1, bitorder="little").view(bool)
    row = {int(address): index for index, address in enumerate(addresses)}
    return Frames(addresses, bits, row, idcode, checks, int(np.count_nonzero((ecc(bits) != stored_ecc(bits)).any(1))))


@functools.cache
def _table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


def _crc(written):
    """CRC-32C over each word written and the five bits of its register's address, lowest bits first."""
    table, crc = _table(), 0
    for register, content in written:
        for word in content.tolist():
            crc ^= word
            for _ in range(4):
                crc = crc >> 8 ^ table[crc & 255]
            crc ^= register
            for _ in range(5):
                crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


@functools.cache
def _weights():
    """What each bit of a frame adds to the check bits: a Hamming code with numbers that are no powers of two."""
    weights = np.zeros((BITS, ECC_BITS), np.float32)
    for word in range(WORDS):
        jump = 0x1360 if word > 0x25 else 0x1340 if word > 6 else 0x1320
        for bit in range(32):
            if word == ECC_WORD and bit < ECC_BITS:
                continue
            number = jump + 32 * word + bit
            weights[32 * word + bit] = [number >> k & 1 for k in range(ECC_BITS)]
    return weights


def ecc(bits: np.ndarray) -> np.ndarray:
    """Return the check bits that frames ought to have.

    Parameters
    ----------
    bits : numpy.ndarray
        bool (n, 3232).

    Returns
    -------
    numpy.ndarray
        bool (n, 13), lowest bit first: twelve of the code, the last makes the parity of all even.
    """
    sums = (bits.astype(np.float32) @ _weights()).astype(np.int64) & 1
    sums[:, -1] ^= sums[:, :-1].sum(1) & 1
    return sums.astype(bool)


def stored_ecc(bits: np.ndarray) -> np.ndarray:
    """Return the check bits that frames have: bool (n, 13)."""
    return bits[:, 32 * ECC_WORD : 32 * ECC_WORD + ECC_BITS]
