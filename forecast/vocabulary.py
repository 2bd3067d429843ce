"""The words of a config, each written once: kinds, cells, heads, metrics, aggregates, features."""

from typing import Literal

Kind = Literal["segment", "direct", "recursive", "encoder_decoder", "aligned"]
"""Strategies: how the horizon follows from the context."""

CellName = Literal[
    "lstm",
    "gru",
    "elman",
    "peephole",
    "coupled",
    "carry",
    "no_input_gate",
    "no_forget_gate",
    "no_output_gate",
    "no_input_activation",
    "no_output_activation",
    "no_peepholes",
    "full_gate_recurrence",
]
"""Recurrent cells."""

Peepholes = Literal["none", "diagonal", "full"]
"""How gates read the cell state."""

InitialState = Literal["zero", "learned"]
"""Where a recurrent net starts from."""

Normalization = Literal["last", "mean_std", "none"]
"""What each window is reduced by."""

StaticInto = Literal["state", "steps"]
"""How static covariates enter."""

HeadName = Literal[
    "point_quantile",
    "point",
    "gaussian",
    "student_t",
    "negative_binomial",
    "asymmetric_laplace",
    "categorical",
]
"""What a network emits for each step."""

PointLoss = Literal["mae", "mse", "huber"]
"""What trains a point: the median, the mean, or between."""

Metric = Literal["mae", "rmse", "mse", "smape", "mase", "wape", "pinball", "crps"]
"""What chooses epochs, trials and champions."""

Aggregate = Literal["mean", "sum", "first", "last", "min", "max", "circular_mean"]
"""Several readings in one step."""

CalendarFeature = Literal[
    "minute_of_hour",
    "hour_of_day",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "week_of_year",
    "month_of_year",
    "is_weekend",
    "is_holiday",
]
"""What follows from the timestamp in local time."""

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Quantile levels of a forecast unless others are asked for."""
