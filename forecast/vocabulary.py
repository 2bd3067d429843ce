"""The allowed words of a config: kinds, cells, heads, metrics, aggregates, calendar features."""

from typing import Literal

Kind = Literal["segment", "direct", "recursive", "encoder_decoder", "aligned"]
"""Strategies: how the horizon is computed from the context."""

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
"""The initial state of a recurrent net."""

Normalization = Literal["last", "mean_std", "none"]
"""How each window is normalised."""

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
"""What a network outputs per step."""

PointLoss = Literal["mae", "mse", "huber"]
"""Losses of a point, which is then the median, the mean, or between."""

Metric = Literal["mae", "rmse", "mse", "smape", "mase", "wape", "pinball", "crps"]
"""Metrics by which epochs, trials and champions are chosen."""

Aggregate = Literal["mean", "sum", "first", "last", "min", "max", "circular_mean"]
"""How several readings in one step become one value."""

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
"""Features computed from the timestamp in local time."""

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Quantile levels of a forecast unless others are asked for."""
