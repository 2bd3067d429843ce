"""The segment strategy: few long recurrent steps, all of the horizon decoded at once.

The context is cut into segments, each one recurrent step; every segment of the horizon is decoded
in parallel from the last state (Lin et al. 2023, SegRNN). The network only corrects: the forecast
starts from a closed-form linear path and, if `seasons` are set, a mix of naive forecasts.

Shapes: B batch, L context, H horizon, T targets, P past, K known, D hidden, O head outputs,
W steps per segment, n segments of the context, m segments of the horizon, N candidates.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from forecast.models.draws import Dropout
from forecast.models.heads.point_heads import Head
from forecast.models.linear.features import LinearFeatures, WindowTensors
from forecast.models.linear.known_effect import KnownEffect
from forecast.models.linear.path import LinearPath, LinearRows
from forecast.models.recurrent.branching import branched, takes_one_product
from forecast.models.recurrent.padded_stack import CellOptions, Recurrent, RecurrentState
from forecast.models.strategies.inputs import TargetCoding, WindowSizes, observed_length
from forecast.models.strategies.naive import CANDIDATES_PER_SEASON, naive_candidates
from forecast.models.strategies.segment_cuts import cut_context, cut_horizon, joined_steps
from forecast.models.strategies.step_effect import StepEffect, shrunk, zeroed

LINEAR_LEAD = 4.0
"""Initial logit of the linear path over the naive candidates: it starts with 95 % of the mix."""


@dataclass(frozen=True)
class SegmentOptions:
    """Options of a segment forecaster, besides its recurrent stack."""

    segment_length: int  # W
    dropout: float = 0.3  # before the output
    linear: bool = True  # start from a ridge regression on the window
    season: int | None = None  # steps of the main season, for the linear path
    seasons: tuple[int, ...] = ()  # steps of each season whose naive forecasts are mixed in
    cycles: tuple[tuple[int, int], ...] = ()  # known columns with the sine and cosine of a cycle
    tabled: int = 0  # number of leading known columns that come from tables, not the calendar


class Segment(nn.Module):
    """A recurrent net over segments of the context, shared by all targets through an embedding.

    With z the target's window in window units and s_1 .. s_n its segments (missing readings are 0,
    with an indicator):

        e_k = relu(A s_k + M missing_k + V [past covariates, known]_k + b)
        h, c = LSTM(e_1 .. e_n), from a state that the static covariates set
        (h_j, c_j) = LSTM step from (h, c) with input [position_j, target], j = 1 .. m, and gates
                     shifted by the linear forecast and the known covariates of segment j
        forecast_j = center_j + O dropout(h_j)

    center is the linear path, or softmax(G h_j) over it and the naive candidates, or the window's
    location where there is neither. `fit_correction_share` may reduce each target's correction
    after training.
    """

    trust: Tensor  # (T,), see `fit_correction_share`

    parts = {  # noqa: RUF012 - a constant table of names
        "embedding": ("embed", "embed_missing", "embed_covariates", "static_state", "target"),
        "recurrent": ("recurrent",),
        "head": ("position", "shown", "known_entry", "output", "gate", "step_effect"),
    }

    def __init__(
        self,
        head: Head,
        sizes: WindowSizes,
        cell: CellOptions,
        coding: TargetCoding,
        options: SegmentOptions,
    ) -> None:
        super().__init__()
        self.head, self.sizes, self.coding, self.options = head, sizes, coding, options
        width, hidden = options.segment_length, cell.hidden_size
        if not 1 <= width <= sizes.context_length:
            raise ValueError(
                f"a segment must hold 1 to {sizes.context_length} steps, the context; found {width}"
            )
        self.future_segments = -(-sizes.horizon // width)
        self.embed = nn.Linear(width, hidden)
        self.embed_missing = zeroed(nn.Linear(width, hidden, bias=False))
        covariates = sizes.past_count + sizes.known_count
        self.embed_covariates = nn.Linear(width * covariates, hidden) if covariates else None
        self.recurrent = Recurrent(hidden, cell)
        self.static_state = (
            nn.Linear(sizes.static_count, self.recurrent.state_size) if sizes.static_count else None
        )
        self.position = nn.Parameter(torch.randn(self.future_segments, hidden - hidden // 2))
        self.target = nn.Parameter(torch.randn(sizes.target_count, hidden // 2))
        self.one_product = takes_one_product(cell)
        entry = 4 * hidden if self.one_product else hidden
        self.linear_features = LinearFeatures(
            sizes.context_length,
            sizes.past_count,
            sizes.known_count,
            options.cycles,
            options.season or width,
        )
        self.linear = self._linear_path() if options.linear else None
        self.known_effect = self._known_effect() if options.linear and options.tabled else None
        self.shown = nn.Linear(width, entry, bias=False) if options.linear else None
        self.known_entry = (
            nn.Linear(width * sizes.known_count, entry, bias=False) if sizes.known_count else None
        )
        self.dropout = Dropout(options.dropout)
        self.output = shrunk(nn.Linear(hidden, width * head.size))
        self.register_buffer("trust", torch.ones(sizes.target_count))
        candidates = CANDIDATES_PER_SEASON * len(options.seasons) + 1
        mixes = bool(options.seasons) and not coding.categories  # no naive mix of probabilities
        self.gate = zeroed(nn.Linear(hidden, width * candidates)) if mixes else None
        if coding.categories:
            self.register_load_state_dict_pre_hook(_without_gate)  # type: ignore[no-untyped-call]
        self.step_effect = (
            StepEffect(sizes.known_count, hidden, head.size, width=width)
            if options.tabled
            else None
        )
        if self.gate is not None and options.linear:
            self.gate.bias.detach().view(width, candidates)[:, 0] = LINEAR_LEAD

    def forward(
        self,
        past: Tensor,
        known: Tensor,
        static: Tensor,
        target: Tensor | None = None,  # noqa: ARG002 - one signature for all kinds
        fold: Tensor | None = None,
    ) -> Tensor:
        """Forecast all steps.

        Parameters
        ----------
        past : Tensor
            (B, L, T + P), targets first, NaN where missing.
        known : Tensor
            (B, L + H, K), NaN where missing.
        static : Tensor
            (B, n_static), NaN where missing.
        target : Tensor, optional
            Not read.
        fold : Tensor, optional
            (B,), the fold of train of each window, in training; see `LinearPath`.

        Returns
        -------
        Head parameters (B, H, T, O) in scaled units.
        """
        sizes = self.sizes
        length = observed_length(past)
        targets, known, effect = self._without_effect(past[..., : sizes.target_count], known)
        scale = self.coding.scale(targets)
        values = (targets - scale.location) / scale.scale
        covariates = past[..., sizes.target_count :]
        linear = None  # (B, T, H) in window units
        if self.linear is not None:
            linear = self.linear(
                self.linear_features(scale.location, values, covariates, known), fold
            )
        steps = self._embed(values, covariates, known, length)
        state = self._encode(steps, static, length)
        hidden = self.dropout(self._decode(state, linear, known[:, sizes.context_length :]))
        raw = joined_steps(self.output(hidden), self.head.size, sizes.horizon)
        if self.step_effect is not None:
            raw = raw + self.step_effect(hidden, known[:, sizes.context_length :])
        base = scale.location + effect
        location = base + scale.scale * self._center(hidden, values, linear)
        params = self.head.place(raw, location, scale.scale)
        if linear is None:
            return params
        correction = self.head.point(params) - base - scale.scale * linear.mT
        return self.head.place(raw, location - (1 - self.trust) * correction, scale.scale)

    def _known_effect(self) -> KnownEffect | None:
        if self.coding.categories:
            return None  # a linear effect on class codes means nothing
        sizes, options = self.sizes, self.options
        return KnownEffect(
            sizes.target_count,
            options.tabled,
            context_length=sizes.context_length,
            season=options.season or options.segment_length,
        )

    def _without_effect(self, targets: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Remove the known covariates' effect from the past targets (B, L, T).

        Also returns the known covariates (B, L + H, K), with the gaps of those from tables filled,
        and the effect over the horizon (B, H, T).
        """
        if self.known_effect is None:
            return targets, known, targets.new_zeros(())
        tabled = self.known_effect.filled(known[..., : self.options.tabled])
        effect = self.known_effect(tabled)
        known = torch.cat([tabled, known[..., self.options.tabled :]], dim=-1)
        first = self.sizes.context_length
        return targets - effect[:, :first], known, effect[:, first:]

    def _linear_path(self) -> LinearPath:
        sizes, options = self.sizes, self.options
        return LinearPath(
            sizes.target_count,
            sizes.horizon,
            self.linear_features.age,
            context_length=sizes.context_length,
            season=options.season or options.segment_length,
            levels=bool(sizes.past_count) or self.coding.normalization == "none",
        )

    def forget_folds(self) -> None:
        """Drop the per-fold fits, which only training needs."""
        if self.linear is not None:
            self.linear.forget_folds()

    @torch.no_grad()
    def linear_rows(self, batches: Iterable[WindowTensors]) -> Iterator[LinearRows]:
        """Yield scaled windows as rows of the linear path, in window units."""
        count = self.sizes.target_count
        for past, given, _, target in batches:
            targets, known, effect = self._without_effect(past[..., :count], given)
            scale = self.coding.scale(targets)
            values = (targets - scale.location) / scale.scale
            reduced = (target - effect - scale.location) / scale.scale
            features = self.linear_features(scale.location, values, past[..., count:], known)
            yield LinearRows(features, reduced.mT, scale.scale.mT.contiguous())

    def _embed(
        self, values: Tensor, covariates: Tensor, known: Tensor, length: Tensor | None
    ) -> Tensor:
        """Segments of every target as recurrent steps, (B, T, n, D)."""
        targets = cut_context(values, self.options.segment_length)
        targets = targets.reshape(*targets.shape[:2], -1, values.shape[2]).permute(0, 3, 1, 2)
        missing = torch.isnan(targets)
        steps: Tensor = self.embed(torch.nan_to_num(targets))
        steps = steps + self.embed_missing(missing.to(steps.dtype))
        if self.embed_covariates is not None:
            beside = torch.cat([covariates, known[:, : values.shape[1]]], dim=-1)
            if length is not None:  # skip what lies before the first reading
                order = torch.arange(values.shape[1], 0, -1, device=values.device)
                beside = torch.where((order <= length[:, None]).unsqueeze(-1), beside, torch.nan)
            beside = torch.nan_to_num(cut_context(beside, self.options.segment_length))
            steps = steps + self.embed_covariates(beside).unsqueeze(1)
        return F.relu(steps)

    def _encode(self, steps: Tensor, static: Tensor, length: Tensor | None) -> RecurrentState:
        """Give the state of every layer after the newest segment; its batch is B · T."""
        count = steps.shape[1]
        flat = steps.flatten(0, 1)
        added = None
        if self.static_state is not None:
            added = self.static_state(torch.nan_to_num(static)).repeat_interleave(count, dim=0)
        if length is not None:
            length = (-(-length // self.options.segment_length)).repeat_interleave(count)
        state: RecurrentState = self.recurrent(flat, self.recurrent.start(flat, added), length)[1]
        return state

    def _decode(self, state: RecurrentState, linear: Tensor | None, future: Tensor) -> Tensor:
        """Hidden states of all horizon segments, (B, T, m, D)."""
        count, width = self.sizes.target_count, self.options.segment_length
        entry = torch.cat(
            [
                self.position.expand(count, -1, -1),
                self.target.unsqueeze(1).expand(-1, self.future_segments, -1),
            ],
            dim=-1,
        )  # (T, m, D)
        moved: Tensor | None = None  # (B, T or 1, m, entry)
        if self.shown is not None and linear is not None:
            moved = self.shown(cut_horizon(linear.unsqueeze(-1), width))
        if self.known_entry is not None:
            effect = self.known_entry(cut_horizon(torch.nan_to_num(future).unsqueeze(1), width))
            moved = effect if moved is None else moved + effect
        return branched(self.recurrent, state, entry, moved, one_product=self.one_product)

    def _center(self, hidden: Tensor, values: Tensor, linear: Tensor | None) -> Tensor:
        """Give what the network corrects, (B, H, T) in window units."""
        start = values.new_zeros(()) if linear is None else linear.mT
        if self.gate is None:
            return start
        start = start.expand(len(values), self.sizes.horizon, values.shape[2]).unsqueeze(-1)
        naive = naive_candidates(values, self.sizes.horizon, self.options.seasons)
        candidates = torch.cat([start, naive], dim=-1)
        weights = joined_steps(self.gate(hidden), candidates.shape[-1], self.sizes.horizon)
        return (weights.softmax(dim=-1) * candidates).sum(dim=-1)


def _without_gate(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
    """Drop the gate of naive forecasts, which older bundles with classes hold but never used."""
    for name in ("weight", "bias"):
        state.pop(f"{prefix}gate.{name}", None)
