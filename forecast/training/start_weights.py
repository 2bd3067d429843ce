"""Weights to start a training from: of the model it continues, or of another run's bundle."""

from itertools import cycle

import torch
from torch import nn

from forecast.config.modelling import Transfer
from forecast.errors import ModelError
from forecast.forecasting.forecaster import Forecaster
from forecast.models.ensemble import members_of
from forecast.models.transfer import freeze, take_weights


def continue_from(forecaster: Forecaster, start: Forecaster) -> None:
    """Take all weights of a forecaster of the same shape.

    Raises
    ------
    ModelError
        Naming the settings that differ.
    """
    try:
        forecaster.network.load_state_dict(start.network.state_dict())
    except RuntimeError as error:
        changed = forecaster.architecture.difference(start.architecture)
        raise ModelError(
            f"the weights to start from are of another shape ({changed}); restore these settings, "
            "or start from scratch (retrain.init)"
        ) from error


def start_from(forecaster: Forecaster, transfer: Transfer) -> None:
    """Take another run's weights and freeze parts, as the config asks.

    The members of an ensemble take from those of the other run in turn, over again where it has
    fewer.

    Raises
    ------
    ModelError
        When there is no such bundle, its weights do not fit, or members would start alike.
    """
    members = members_of(forecaster.network.model)
    if transfer.bundle is not None:
        others = members_of(Forecaster.load(transfer.bundle).network.model)
        for member, other in zip(members, cycle(others), strict=False):
            take_weights(member, other.state_dict(), parts=transfer.parts)
        if len(others) < len(members) and _are_alike(members[0], members[len(others)]):
            raise ModelError(
                f"model.transfer: {transfer.bundle} has {len(others)} of the {len(members)} "
                "members of model.ensemble, and with all parts taken they would start alike; leave "
                "one out of model.transfer.parts, or lower model.ensemble"
            )
    if transfer.freeze:
        for member in members:
            freeze(member, transfer.freeze)


def _are_alike(module: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, module.parameters(), other.parameters()))
