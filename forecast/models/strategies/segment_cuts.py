"""Cuts a context and a horizon into segments, and segments back into steps.

Shapes: B batch, L context, H horizon, T targets, C channels, W steps per segment, n segments of the
context, m segments of the horizon.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def cut_context(channels: Tensor, width: int) -> Tensor:
    """Cut (B, L, C) into segments of `width` steps, (B, n, W · C), padded in front with NaN."""
    count = -(-channels.shape[1] // width)
    short = count * width - channels.shape[1]
    if short:
        channels = F.pad(channels, (0, 0, short, 0), value=torch.nan)
    return channels.reshape(channels.shape[0], count, -1)


def cut_horizon(channels: Tensor, width: int) -> Tensor:
    """Cut (B, T, H, C) into segments of `width` steps, (B, T, m, W · C), padded behind with 0."""
    count = -(-channels.shape[2] // width)
    padded = F.pad(channels, (0, 0, 0, count * width - channels.shape[2]))
    return padded.reshape(*channels.shape[:2], count, -1)


def joined_steps(segments: Tensor, size: int, horizon: int) -> Tensor:
    """Rearrange segments (B, T, m, W · size) into the steps of the horizon, (B, H, T, size)."""
    steps = segments.reshape(*segments.shape[:2], -1, size)[:, :, :horizon]
    return steps.transpose(1, 2)
