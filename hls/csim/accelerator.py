"""C simulation of the kernels as an accelerator object for Python."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np

from hls.csim.build import library
from hls.packets.packets import parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.base.errors import UserError

if TYPE_CHECKING:
    from hls.design.config import Config
    from model.graph.weights import QuantModel


class CsimTop:
    """`srcnn_top` in software: the C++ kernels, natively compiled, same source, same bits.

    Parameters
    ----------
    config : hls.design.config.Config

    Raises
    ------
    UserError
        If the kernels cannot be compiled here.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._model = None
        self.cycles = 0
        self._library = ctypes.CDLL(str(library(config)))
        self._library.srcnn_new.restype = ctypes.c_void_p
        self._library.srcnn_delete.argtypes = [ctypes.c_void_p]
        self._library.srcnn_send.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_uint64, ctypes.c_int]
        self._library.srcnn_send.restype = ctypes.c_uint64
        self._library.srcnn_receive.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_uint64]
        self._library.srcnn_receive.restype = ctypes.c_uint64
        assert self._library.srcnn_config_id() & 0xFFFFFFFF == config.config_id  # a build of another configuration
        self._handle = self._library.srcnn_new()

    def __del__(self):
        if getattr(self, "_handle", None):
            self._library.srcnn_delete(self._handle)

    def beats(
        self, data: np.ndarray, keep: np.ndarray | None = None, last: np.ndarray | None = None, clocked: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Send beats, return all beats that come out.

        Parameters
        ----------
        data : ndarray of uint64
        keep, last : ndarray of uint8, optional
            TKEEP and TLAST per beat; full beats and one TLAST at the end if None.
        clocked : bool
            Let all stages step together, cycle by cycle, with the hardware's FIFO depths, and count the cycles
            in `self.cycles`. Slower; the same bits.

        Returns
        -------
        data : ndarray of uint64
        last : ndarray of uint8
        """
        data = np.ascontiguousarray(data, np.uint64)
        sides = [None if s is None else np.ascontiguousarray(s, np.uint8) for s in (keep, last)]
        self.cycles = self._library.srcnn_send(
            self._handle, data.ctypes.data, *(None if s is None else s.ctypes.data for s in sides), len(data), clocked
        )
        chunks = []
        while not chunks or len(chunks[-1][0]) == 1 << 16:
            out, out_last = np.empty(1 << 16, np.uint64), np.empty(1 << 16, np.uint8)
            count = self._library.srcnn_receive(self._handle, out.ctypes.data, out_last.ctypes.data, len(out))
            chunks.append((out[:count], out_last[:count]))
        return np.concatenate([c[0] for c in chunks]), np.concatenate([c[1] for c in chunks])

    def transfer(self, words: np.ndarray, clocked: bool = False) -> np.ndarray:
        """Send one transfer, return the words of its answer (docs/architecture.md, "Packets")."""
        data, last = self.beats(words, clocked=clocked)
        if not len(last) or not last[-1] or last[:-1].any():
            raise UserError(
                "the kernels' answer did not end with TLAST; this is a bug, please report it with the input"
            )
        return data

    def infer_valid(self, model: QuantModel, tile: np.ndarray) -> np.ndarray:
        """Compute a tile: (H + 2 halo, W + 2 halo) uint8 -> (H, W) uint8, or (H, W, C) if the network gives C > 1.

        Parameters
        ----------
        model : model.graph.weights.QuantModel
            Loaded into the accelerator when it is another one than last time.
        tile : ndarray of uint8

        Raises
        ------
        UserError
            If the tile does not fit the line buffers, or the model is of another network.
        """
        words = tile_packet(self.config, tile)
        loaded, self._model = self._model, None  # unknown until the answer is there
        if model is not loaded:
            words = np.concatenate([load_packet(self.config, model), words])
        answers = parse_answers(self.transfer(words), self.config.network.out_ch)
        if answers[-1].command != "tile":
            raise UserError(
                f"the kernels answered a tile with {answers[-1].command}, status {answers[-1].status}; this is a bug, "
                f"please report it with the input"
            )
        self._model = model
        return answers[-1].pixels.copy()
