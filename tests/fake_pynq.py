"""A stand-in for the `pynq` package: contiguous buffers behind a cache, an AXI DMA, and `srcnn_top` in software.

It is strict where PYNQ and the hardware are: data reaches the DMA only after a flush and the host only after an
invalidate; a freed buffer is gone; a channel must be running and idle; a send that finds no armed receive, and a
packet that breaks docs/architecture.md, are noted in `violations`. Faults are switched on by `fault`.
"""

import pathlib

import numpy as np

from host.packets import ERRORS, load_packet
from model import golden

MAGIC = 0x5253


class Buffer(np.ndarray):
    """What the host sees (the cache's view); `shared["memory"]` is what the DMA sees."""

    def __array_finalize__(self, parent):
        if isinstance(parent, Buffer):
            self.shared = parent.shared

    def _place(self):
        if self.shared["freed"]:
            raise AssertionError("a freed buffer was used: a segmentation fault on the board")
        at = (self.__array_interface__["data"][0] - self.shared["base"]) // 8
        return self.shared["memory"][at:at + len(self)]

    def flush(self):
        self._place()[:] = np.asarray(self)

    def invalidate(self):
        np.asarray(self)[:] = self._place()

    def freebuffer(self):
        self._place()
        self.shared["freed"] = True
        self.shared["board"].live_buffers -= 1


class Channel:
    """One direction of PYNQ's simple DMA."""

    def __init__(self, board, receives):
        self.board, self.receives = board, receives
        self.running, self.error, self.transferred = True, False, 0
        self.busy = False
        self.active = None

    @property
    def idle(self):
        self.board.poll()
        return not self.busy and not self.error

    def start(self):
        self.running, self.error = True, False

    def transfer(self, array, start=0, nbytes=0):
        assert start == 0 and nbytes == 0, "not modelled"
        if not self.running or self.busy:
            raise RuntimeError("DMA channel not idle")
        if array.nbytes > self.board.axi_dma_0.buffer_max_size:
            raise ValueError("Transfer size exceeds the maximum")
        if not self.receives:
            array.flush()
        self.active, self.busy, self.transferred = array, True, 0
        self.board.log.append("arm" if self.receives else "send")
        if not self.receives:
            self.board.sent()

    def wait(self):
        assert not self.busy, "this would hang on the board"
        if self.receives:
            self.active.invalidate()
        self.transferred = self.board.received if self.receives else self.active.nbytes


class Dma:
    buffer_max_size = (1 << 26) - 1

    def __init__(self, board):
        self.board = board
        self.sendchannel, self.recvchannel = Channel(board, False), Channel(board, True)

    def write(self, offset, value):
        assert (offset, value) == (0, 4), "not modelled"
        self.board.log.append("reset")
        if self.board.fault == "stuck reset":
            return
        for channel in (self.sendchannel, self.recvchannel):
            channel.busy = channel.running = channel.error = False

    def read(self, offset):
        return 4 if self.board.fault == "stuck reset" else 0


class Overlay:
    def __init__(self, board, bitfile):
        assert pathlib.Path(bitfile).is_file()
        self._board = board
        self.download()

    def download(self):
        self._board.log.append("download")
        self._board.loaded, self._board.answer = False, None
        if self._board.fault_until_download:
            self._board.fault = None

    def __getattr__(self, name):
        if name == "axi_dma_0":
            return self._board.axi_dma_0
        raise AttributeError(f"Could not find IP or hierarchy {name} in overlay")


class FakePynq:
    """The module's two names, `Overlay` and `allocate`, and the board behind them.

    Parameters
    ----------
    config : hls.config.Config
    model : QuantModel
        What a right load packet has to carry.
    fault : str, optional
        What goes wrong with each transfer of tiles; see `_spoil` and `Channel`.
    latency : int
        Polls until a transfer is done.
    """

    def __init__(self, config, model, fault=None, latency=3):
        self.config, self.model, self.fault, self.latency = config, model, fault, latency
        self.fault_until_download = True
        self.loaded, self.answer, self.received, self.countdown = False, None, 0, 0
        self.live_buffers, self.allocations, self.loads, self.transfers = 0, 0, 0, 0
        self.log, self.violations = [], []
        self.axi_dma_0 = Dma(self)

    def Overlay(self, bitfile):
        return Overlay(self, bitfile)

    def allocate(self, shape, dtype="u4", target=None, cacheable=0):
        if self.fault == "out of memory":
            raise RuntimeError("Allocate failed: 4294967295")
        assert np.dtype(dtype).itemsize == 8
        buffer = np.full(shape, 0xDEADBEEF, np.uint64).view(Buffer)
        buffer.shared = {"memory": np.zeros(shape, np.uint64), "base": buffer.__array_interface__["data"][0], "freed": False, "board": self}
        self.live_buffers += 1
        self.allocations += 1
        return buffer

    # --- the hardware ---

    def sent(self):
        """The send channel has its data: compute what will come back, after some polls."""
        if not self.axi_dma_0.recvchannel.busy:
            self.violations.append("sent before the receive was armed")
        self.transfers += 1
        words = self.axi_dma_0.sendchannel.active._place().copy()
        self.answer = self._spoil(self._kernel(words), carries_tiles=int(words[0]) >> 16 & 0xFF == 3)
        self.countdown = self.latency

    def poll(self):
        """Somebody looked at a status register: time passes."""
        if self.answer is None:
            return
        self.countdown -= 1
        if self.countdown > 0:
            return
        send, receive = self.axi_dma_0.sendchannel, self.axi_dma_0.recvchannel
        send.busy = False
        memory = receive.active._place()
        if len(self.answer) > len(memory):
            self.violations.append("the receive buffer is too small")
            self.answer = self.answer[:len(memory)]
        memory[:len(self.answer)] = self.answer
        self.received, self.answer, receive.busy = self.answer.nbytes, None, False
        self.log.append("done")

    def _spoil(self, answer, carries_tiles):
        fault = self.fault if carries_tiles else None
        send, receive = self.axi_dma_0.sendchannel, self.axi_dma_0.recvchannel
        if fault == "no answer":
            send.busy = False
            return None
        if fault == "stuck":
            return None
        if fault == "DMA error":
            receive.error = True
            return None
        if fault == "short answer":
            return answer[:-1]
        if fault == "one tile less":
            low = int(answer[1]) & 0xFFFFFFFF
            return answer[:2 - (-(low & 0xFFFF) * (low >> 16) // 8)]
        if fault == "error answer":
            return self._header(0xFF, ERRORS["too_large"], 0, 0)
        if fault == "garbage":
            return answer ^ np.uint64(0x55)
        if fault == "wrong tag":
            answer[1] ^= np.uint64(1 << 40)
        if fault == "wrong size":  # as many words, another shape
            height, width = int(answer[1]) >> 16 & 0xFFFF, int(answer[1]) & 0xFFFF
            answer[1] = answer[1] >> np.uint64(32) << np.uint64(32) | np.uint64(height | width << 16)
        return answer

    def _header(self, command, status, low, tag):
        config_id = self.config.config_id ^ (self.fault == "wrong config")
        return np.array([MAGIC | command << 16 | status << 24 | config_id << 32, low | tag << 32], np.uint64)

    def _kernel(self, words):
        """`srcnn_top`: one transfer of packets in, one transfer of answers out."""
        halo, answers, at = self.config.network.halo, [], 0
        while at < len(words):
            first, second = int(words[at]), int(words[at + 1])
            command, low, tag = first >> 16 & 0xFF, second & 0xFFFFFFFF, second >> 32
            if first & 0xFFFF != MAGIC or (command != 1 and first >> 32 != self.config.config_id):
                self.violations.append(f"packet at word {at} has a bad header")
                return self._header(0xFF, ERRORS["bad_magic"], 0, tag)
            at += 2
            if command == 1:
                answers += [self._header(0x81, 0, 0, tag), np.array([self.config.max_width | self.config.max_height << 16, self.config.param_beats], np.uint64)]
            elif command == 2:
                if not np.array_equal(words[at:at + low], load_packet(self.config, self.model)[2:]):
                    self.violations.append("wrong parameters were loaded")
                at += low
                self.loaded = True
                self.loads += 1
                answers.append(self._header(0x82, 0, 0, tag))
            else:
                if not self.loaded:
                    return self._header(0xFF, ERRORS["not_loaded"], 0, tag)
                width, height = low & 0xFFFF, low >> 16
                count = -(-width * height // 8)
                tile = words[at:at + count].view(np.uint8)[:width * height].reshape(height, width)
                at += count
                result = golden.infer_valid(self.model, tile, workers=1)
                payload = np.zeros(-(-result.size // 8) * 8, np.uint8)
                payload[:result.size] = result.reshape(-1)
                answers += [self._header(0x83, 0, width - 2 * halo | height - 2 * halo << 16, tag), payload.view(np.uint64)]
        return np.concatenate(answers)
