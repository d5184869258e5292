"""The parameters of a network in the order of the hardware's RAMs, and the packet that loads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hls.packets.packets import COMMANDS, header
from model.base.errors import UserError

if TYPE_CHECKING:
    from hls.design.config import Config
    from model.graph.weights import QuantModel


def load_packet(config: Config, model: QuantModel, tag: int = 0) -> np.ndarray:
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
        raise UserError(
            f"the weights are of {model.network.name}, the overlay computes {config.network.name}; choose weights of "
            f"{config.network.name}"
        )
    words = [header(config.config_id, COMMANDS["load"], config.param_beats, tag)]
    parameters = {conv.name: layer for conv, layer in zip(config.network.convs, model.layers, strict=True)}
    for process in config.processes:  # in the order in which the words pass them
        if process.param_beats:
            words.append(process.param_words(parameters[process.stage.layer.name]))
    return np.concatenate(words)
