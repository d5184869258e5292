"""HDR, the PQ and HLG of ITU-R BT.2100, for a usual screen.

Light is counted in cd/m2. A signal becomes the light of the screen it was made for, highlights are compressed by the
knee of ITU-R BT.2390 (its EETF, from `PEAK` to `WHITE`; red, green and blue each for itself), the colours become those
of BT.709, and the light becomes a signal for a screen with a gamma of 2.4 (BT.1886) whose white is `WHITE`. What a file
says of the screen it was mastered on is not looked at: FFmpeg's swscale does, and makes a mid-grey of a white page
where that screen was bright.
"""

from __future__ import annotations

import functools

import numpy as np

PQ, HLG = 16, 18  # transfer functions, as ITU-T H.273 numbers them
PEAK = 1000.0  # cd/m2 that become white; what is brighter does, too
WHITE = 203.0  # cd/m2 of a white page, says ITU-R BT.2408
_GAMMA = 2.4
_SYSTEM_GAMMA = 1.2  # of HLG at a peak of 1000 cd/m2
_LUMA = (0.2627, 0.6780, 0.0593)  # of BT.2020
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073
_MOST = 65535
_ROWS = 64  # at a time: temporaries stay small
# Chromaticities of red, green and blue by H.273's number; white is D65 in all.
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)


def to_usual_screen(rgb: np.ndarray, transfer: int, primaries: int = 9) -> np.ndarray:
    """Map HDR to a usual screen.

    Parameters
    ----------
    rgb : ndarray of uint16, shape (H, W, 3)
        Signal of red, green and blue, 0 to 65535.
    transfer : int
        `PQ` or `HLG`.
    primaries : int
        As ITU-T H.273 numbers them: 1 (BT.709), 9 (BT.2020) or 12 (Display P3); others are taken for 9.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    out = np.empty(rgb.shape, np.uint8)
    matrix = _matrix(primaries if primaries in _PRIMARIES else 9)
    for top in range(0, len(rgb), _ROWS):
        strip = rgb[top : top + _ROWS]
        light = _pq_table()[strip] if transfer == PQ else _hlg_light(strip)
        for channel, row in enumerate(matrix):
            total = light[:, :, 0] * row[0] + light[:, :, 1] * row[1] + light[:, :, 2] * row[2]
            out[top : top + _ROWS, :, channel] = _signal_table()[_root(total)]
    return out


def _root(values):
    """Return 0..1 as an index of a table that has more steps where it is dark."""
    return (np.sqrt(np.clip(values, 0, 1)) * _MOST + np.float32(0.5)).astype(np.uint16)


def _squares():
    """Return what the indices of `_root` stand for."""
    return (np.arange(_MOST + 1) / _MOST) ** 2


def _hlg_light(strip):
    scene = _hlg_scene()[strip]
    luma = scene[:, :, 0] * _LUMA[0] + scene[:, :, 1] * _LUMA[1] + scene[:, :, 2] * _LUMA[2]
    return _compressed_table()[_root(scene * _hlg_gain()[_root(luma)][:, :, None])]


def _pq(light):
    power = (np.asarray(light) / 10000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _pq_light(signal):
    power = np.asarray(signal) ** (1 / _M2)
    return 10000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def _compress(light):
    """Return light of at most `WHITE` for light of at most `PEAK`, as a share of `WHITE`: BT.2390's knee."""
    peak = _pq(PEAK)
    signal, most = np.minimum(_pq(light) / peak, 1), _pq(WHITE) / peak
    knee = 1.5 * most - 0.5
    t = np.clip((signal - knee) / (1 - knee), 0, 1)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    return np.clip(_pq_light(np.where(signal < knee, signal, bent) * peak) / WHITE, 0, 1)


@functools.cache
def _pq_table():
    """Compressed light by PQ's signal."""
    return _compress(_pq_light(np.arange(_MOST + 1) / _MOST)).astype(np.float32)


@functools.cache
def _compressed_table():
    """Compressed light by light as a share of `PEAK`, an index of `_root`."""
    return _compress(PEAK * _squares()).astype(np.float32)


@functools.cache
def _hlg_scene():
    """Light of the scene, 0 to 1, by HLG's signal."""
    signal = np.arange(_MOST + 1) / _MOST
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _HLG_C) / _HLG_A) + _HLG_B) / 12)
    return np.minimum(scene, 1).astype(np.float32)


@functools.cache
def _hlg_gain():
    """What a screen makes of the light of a scene, by its luma, an index of `_root`: BT.2100's system gamma."""
    return (_squares() ** (_SYSTEM_GAMMA - 1)).astype(np.float32)


@functools.cache
def _signal_table():
    """Signal of a usual screen, 0 to 255, by light, an index of `_root`."""
    return np.floor(255 * _squares() ** (1 / _GAMMA) + 0.5).astype(np.uint8)


@functools.cache
def _matrix(primaries):
    """Rows that make BT.709's red, green and blue of those of other primaries, all of light; float32."""
    return (np.linalg.inv(_to_xyz(1)) @ _to_xyz(primaries)).astype(np.float32).tolist()


def _to_xyz(primaries):
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in _PRIMARIES[primaries]]).T
    x, y = _D65
    return columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])
