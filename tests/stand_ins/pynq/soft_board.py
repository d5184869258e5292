"""A board in software: the registers of an AXI DMA, contiguous memory, and `srcnn_top` by the golden model.

The DMA behaves as its product guide (PG021, direct register mode) has it: a channel is halted until it runs, is idle
only after a transfer, halts on an error, and its length register counts what a receive wrote. The board is strict: a
send that finds no armed receive, and a packet that breaks docs/architecture.md, are noted in `violations`. What stands
between this and the driver, PYNQ itself (real_pynq.py) or a stand-in (sim/board/channels.py), has the cache. Faults are
switched on by `fault`.
"""

import numpy as np

from hls.packets.packets import ERRORS
from hls.packets.parameters import load_packet
from model.integer import golden
from sim.board.channels import (
    ADDRESS,
    ADDRESS_HIGH,
    CONTROL,
    HALTED,
    IDLE,
    INTERNAL_ERROR,
    LENGTH,
    RECEIVE,
    RESET,
    RUN,
    SEND,
    STATUS,
)
from sim.board.handoff import processor

MAGIC = 0x5253
PAGE = 4096
GARBAGE = 0xA5  # in fresh memory


class SoftBoard:
    """The hardware.

    Parameters
    ----------
    config : hls.design.config.Config
    model : QuantModel
        What has to be loaded.
    fault : str, optional
        "no answer", "stuck", "DMA error", "address error", "no TLAST", "short answer", "one tile less", "error answer",
        "cut short", "garbage", "wrong tag", "wrong size" (of a transfer with tiles); "wrong config", "stuck reset",
        "stuck start", "out of memory", "out of reach"; "other clock", "narrow port" (of the processor, and they stay).
        Loading the bitstream ends it unless `fault_until_download` is
        False.

    Attributes
    ----------
    log : list of str
        "download", "reset", "arm", "send", "done", in order.
    violations : list of str
    transfers, loads, allocations, live_buffers : int
    fclk0_mhz : float
        What the processor's clock was set to.
    port : dict of {int: int}
        Registers of S_AXI_HP0: a boot image has left it 32 bits wide.
    """

    def __init__(self, config, model, fault=None):
        self.config, self.model, self.fault, self.fault_until_download = config, model, fault, True
        self.log, self.violations = [], []
        self.transfers = self.loads = self.allocations = self.live_buffers = 0
        self.fclk0_mhz, self.port = 100.0, {0x00: 0x1, 0x14: 0x1}
        self.latency = 3  # looks at a status register until a transfer is done
        self.memory = {}  # physical address: array of uint8
        self._unflushed = set()  # addresses of fresh memory: the processor's zeroes may still lie in its cache
        self._next_address = 1 << 24
        self.registers, self._answer, self._countdown, self._loaded = {}, None, 0, False
        self._reset_registers()

    # --- memory ---

    def take_memory(self, nbytes):
        """Return the physical address of fresh contiguous memory."""
        if self.fault == "out of memory":
            raise RuntimeError("Allocate failed: 4294967295")
        if self.fault == "out of reach":
            self._next_address = max(self._next_address, 1 << processor(self.config)["address_bits"])
        address = self._next_address
        self._next_address += (nbytes + 2 * PAGE) // PAGE * PAGE
        self.memory[address] = np.full(nbytes, GARBAGE, np.uint8)
        self._unflushed.add(address)
        self.allocations += 1
        self.live_buffers += 1
        return address

    def flushed(self, address):
        """The cache's lines of this memory were written back."""
        self._unflushed.discard(address)

    def give_back(self, address):
        """Take memory back."""
        for channel in (SEND, RECEIVE):
            if self._moves(channel) and self._place(channel).base is self.memory[address]:
                self.violations.append("memory was freed while the DMA uses it")
        del self.memory[address]
        self.live_buffers -= 1

    # --- the processor ---

    def set_clock(self, mhz):
        """Set FCLK0."""
        self.fclk0_mhz = 1.5 * mhz if self.fault == "other clock" else mhz

    def read_port(self, offset):
        """Read a register of S_AXI_HP0."""
        return self.port[offset]

    def write_port(self, offset, value):
        """Write a register of S_AXI_HP0."""
        if self.fault != "narrow port":
            self.port[offset] = value

    # --- the fabric ---

    def download(self):
        """Load the bitstream."""
        if any(self._moves(channel) for channel in (SEND, RECEIVE)):
            self.violations.append("the bitstream was loaded while the DMA uses the memory")
        self.log.append("download")
        if self.fault_until_download and self.fault not in ("other clock", "narrow port"):
            self.fault = None
        self.fclk0_mhz = 100.0  # by the handoff file
        self._loaded = False
        self._reset_registers()

    def read(self, offset):
        """Read a register of the DMA; looking at a status register takes time."""
        if offset in (SEND + STATUS, RECEIVE + STATUS):
            self._pass_time()
        return self.registers[offset]

    def write(self, offset, value):
        """Write a register of the DMA."""
        channel, register = (RECEIVE, offset - RECEIVE) if offset >= RECEIVE else (SEND, offset)
        if register == CONTROL and value & RESET:
            self.log.append("reset")
            if self.fault == "stuck reset":
                self.registers[offset] |= RESET
            else:
                self._reset_registers()
        elif register == CONTROL:
            self.registers[offset] = value
            if value & RUN and self.fault != "stuck start":
                self.registers[channel + STATUS] &= ~HALTED
        elif register == LENGTH:
            self.registers[offset] = value
            self._begin(channel)
        elif register in (ADDRESS, ADDRESS_HIGH):
            self.registers[offset] = value
        else:
            self.violations.append(f"register {offset:#x} was written")

    def _reset_registers(self):
        self.registers = {
            channel + register: 0
            for channel in (SEND, RECEIVE)
            for register in (CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH)
        }
        for channel in (SEND, RECEIVE):
            self.registers[channel + STATUS] = HALTED
        self._busy, self._answer = {SEND: False, RECEIVE: False}, None

    def _moves(self, channel):
        return self._busy[channel]

    def _place(self, channel):
        """The memory that a channel's registers describe, as bytes."""
        address = self.registers[channel + ADDRESS] | self.registers[channel + ADDRESS_HIGH] << 32
        for start, memory in self.memory.items():
            if start <= address and address + self.registers[channel + LENGTH] <= start + len(memory):
                return memory[address - start :][: self.registers[channel + LENGTH]]
        raise AssertionError(f"the DMA was sent to {address:#x}, where there is no buffer")

    def _begin(self, channel):
        if self.registers[channel + STATUS] & HALTED or self._busy[channel]:
            self.violations.append("a transfer was begun on a channel that is halted or at work")
        if channel == SEND and not self._busy[RECEIVE]:
            self.violations.append("sent before the receive was armed")
        if any(self._place(channel).base is self.memory[address] for address in self._unflushed):
            self.violations.append("a transfer was begun on memory that the cache may still be written back to")
        self.registers[channel + STATUS] &= ~IDLE
        self._busy[channel] = True
        self.log.append("arm" if channel == RECEIVE else "send")
        if channel == SEND:
            self.transfers += 1
            words = self._place(SEND).view(np.uint64).copy()
            self._answer = self._spoil(self._kernel(words), carries_tiles=int(words[0]) >> 16 & 0xFF == 3)
            self._countdown = self.latency

    def _pass_time(self):
        if self._answer is None:
            return
        self._countdown -= 1
        if self._countdown > 0:
            return
        self._end(SEND)
        memory, answer = self._place(RECEIVE), self._answer.view(np.uint8)
        self._answer = None
        memory[: len(answer)] = answer[: len(memory)]
        if len(answer) > len(memory):
            self._fail(RECEIVE, INTERNAL_ERROR)
            return
        self.registers[RECEIVE + LENGTH] = len(answer)
        self._end(RECEIVE)
        self.log.append("done")

    def _end(self, channel):
        self.registers[channel + STATUS] |= IDLE
        self._busy[channel] = False

    def _fail(self, channel, error):
        self.registers[channel + STATUS] |= HALTED | error
        self._busy[channel] = False

    def _spoil(self, answer, carries_tiles):
        fault = self.fault if carries_tiles else None
        if fault == "no answer":
            self._end(SEND)
            return None
        if fault == "stuck":
            return None
        if fault == "DMA error":
            self._fail(RECEIVE, INTERNAL_ERROR)
            return None
        if fault == "address error":
            self._fail(SEND, 0x40)
            return None
        if fault == "no TLAST":
            return np.concatenate([answer, answer])
        if fault == "short answer":
            return answer[:-1]
        if fault == "one tile less":
            low = int(answer[1]) & 0xFFFFFFFF
            return answer[: 2 - (-(low & 0xFFFF) * (low >> 16) // 8)]
        if fault == "error answer":
            return self._header(0xFF, ERRORS["too_large"], 0, 0)
        if fault == "cut short":  # the tile is made up with zeros, the error follows
            return np.concatenate([answer, self._header(0xFF, ERRORS["truncated"], 0, 0)])
        if fault == "garbage":
            return answer ^ np.uint64(0x55)
        if fault == "wrong tag":
            answer[1] ^= np.uint64(1 << 40)
        if fault == "wrong size":  # as many words, another shape
            height, width = int(answer[1]) >> 16 & 0xFFFF, int(answer[1]) & 0xFFFF
            answer[1] = answer[1] >> np.uint64(32) << np.uint64(32) | np.uint64(height | width << 16)
        return answer

    # --- srcnn_top ---

    def _header(self, command, status, low, tag):
        config_id = self.config.config_id ^ (self.fault == "wrong config")
        return np.array([MAGIC | command << 16 | status << 24 | config_id << 32, low | tag << 32], np.uint64)

    def _kernel(self, words):
        """One transfer of packets in, one transfer of answers out."""
        network, answers, at = self.config.network, [], 0
        while at < len(words):
            first, second = int(words[at]), int(words[at + 1])
            command, low, tag = first >> 16 & 0xFF, second & 0xFFFFFFFF, second >> 32
            if first & 0xFFFF != MAGIC or (command != 1 and first >> 32 != self.config.config_id):
                self.violations.append(f"packet at word {at} has a bad header")
                return self._header(0xFF, ERRORS["bad_magic"], 0, tag)
            at += 2
            if command == 1:
                answers += [
                    self._header(0x81, 0, 0, tag),
                    np.array(
                        [self.config.max_width | self.config.max_height << 16, self.config.param_beats], np.uint64
                    ),
                ]
            elif command == 2:
                if not np.array_equal(words[at : at + low], load_packet(self.config, self.model)[2:]):
                    self.violations.append("wrong parameters were loaded")
                at += low
                self._loaded = True
                self.loads += 1
                answers.append(self._header(0x82, 0, 0, tag))
            else:
                if not self._loaded:
                    return self._header(0xFF, ERRORS["not_loaded"], 0, tag)
                width, height = low & 0xFFFF, low >> 16
                shape = (height, width, network.in_ch)[: 2 if network.in_ch == 1 else 3]
                size = width * height * network.in_ch
                count = -(-size // 8)
                tile = words[at : at + count].view(np.uint8)[:size].reshape(shape)
                at += count
                result = golden.infer_valid(self.model, tile, workers=1)
                payload = np.zeros(-(-result.size // 8) * 8, np.uint8)
                payload[: result.size] = result.reshape(-1)
                answers += [
                    self._header(0x83, 0, result.shape[1] | result.shape[0] << 16, tag),
                    payload.view(np.uint64),
                ]
        return np.concatenate(answers)
