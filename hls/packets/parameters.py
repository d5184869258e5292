"""The parameters of a network in the order of the hardware's RAMs, and the packet that loads them."""

import numpy as np

from hls.packets.packets import COMMANDS, header
from model.base.errors import UserError


def load_packet(config, model, tag=0):
    """Return the words that load a model's parameters.

    Parameters
    ----------
    config : hls.design.config.Config
    model : model.graph.weights.QuantModel
        Of the same network.

    Returns
    -------
    ndarray of uint64, shape (2 + config.param_beats,)

    Raises
    ------
    UserError
        If the model is of another network.
    """
    if model.network != config.network:
        raise UserError(f"the weights are of {model.network.name}, the overlay computes {config.network.name}; choose weights of {config.network.name}")
    words = [header(config.config_id, COMMANDS["load"], config.param_beats, tag)]
    for stage, layer in zip(config.stages, model.layers):
        words.append(weight_words(stage, layer.weight))
        bias = layer.bias.astype(np.int64).astype(np.uint64) & np.uint64(0xFFFFFFFF)
        words.append(bias | layer.shift.astype(np.uint64) << np.uint64(32))
    return np.concatenate(words)


def weight_words(stage, weight):
    """Return a stage's weights in the order of its RAMs.

    Word order: fold step (output pass, tap pass), PE, then the 64-bit pieces of its SIMD weights. Taps run
    column by column (kw, kh, channel), since a new column enters the window as a unit. A transposed stage sees
    its taps as output channels, row by row (kh, kw), of a 1x1 layer.
    """
    if stage.transposed:
        matrix = weight.reshape(stage.mac_out_ch, stage.mac_taps)
    else:
        matrix = weight.transpose(0, 2, 1, 3).reshape(stage.mac_out_ch, stage.mac_taps)
    matrix = np.pad(matrix, ((0, 0), (0, stage.tap_fold * stage.simd - stage.mac_taps)))  # where SIMD does not divide the taps
    blocks = matrix.reshape(stage.out_fold, stage.pe, stage.tap_fold, stage.simd).transpose(0, 2, 1, 3)
    padded = np.zeros((stage.fold * stage.pe, stage.weight_beats * 8), np.int8)
    padded[:, :stage.simd] = blocks.reshape(-1, stage.simd)
    return padded.view("<u8").reshape(-1).astype(np.uint64)
