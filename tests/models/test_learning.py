"""Tiny models learn what they must: one seed each, some seconds in all."""

import pytest
import torch
from torch import nn

from forecast.models.recurrent.padded_stack import Recurrent
from forecast.models.recurrent.stacks import CellOptions
from tests.tiny import build_head, build_model

FAR = 200


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def error_of(cell, draw, lengths, *, hidden, rate, forget_bias):
    """Train a net to give one number from its last state; the mean squared error at full length."""
    torch.manual_seed(0)
    network = Recurrent(2, CellOptions(cell, hidden, forget_bias=forget_bias))
    output = nn.Linear(hidden, 1)
    weights = [*network.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(weights, rate)

    def error(count, length):
        inputs, wanted = draw(count, length)
        return (output(network(inputs)[1].hidden[-1])[:, 0] - wanted).square().mean()

    for length in lengths:
        optimizer.zero_grad()
        error(32, length).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    with torch.no_grad():
        return float(error(256, lengths[-1]))


def recall(count, length):
    """The value at step 0, marked, to be told at the end; guessing errs by 0.33."""
    inputs = torch.zeros(count, length, 2)
    wanted = torch.rand(count) * 2 - 1
    inputs[:, 0, 0], inputs[:, 0, 1] = wanted, 1.0
    return inputs, wanted


def adding(count, length):
    """The sum of two marked numbers (Hochreiter & Schmidhuber 1997, 5.4); guessing errs by 0.17."""
    inputs = torch.zeros(count, length, 2)
    inputs[..., 0] = torch.rand(count, length)
    half = length // 2
    marks = torch.stack([torch.randint(half, (count,)), torch.randint(half, length, (count,))], 1)
    inputs[..., 1].scatter_(1, marks, 1.0)
    return inputs, inputs[..., 0].gather(1, marks).sum(1)


def test_recalling_a_value_over_200_steps_is_learned_by_lstm_not_by_elman():
    lengths = [min(FAR, 10 + k) for k in range(350)]  # from near to far
    how = {"hidden": 16, "rate": 0.015, "forget_bias": 4.0}
    assert error_of("lstm", recall, lengths, **how) < 0.01
    assert error_of("elman", recall, lengths, **how) > 0.05


def test_the_adding_problem_is_learned_by_lstm_not_by_elman():
    how = {"hidden": 32, "rate": 0.01, "forget_bias": 2.0}
    assert error_of("lstm", adding, [50] * 500, **how) < 0.02
    assert error_of("elman", adding, [50] * 500, **how) > 0.1


def far_gradient(cell):
    """The gradient's size at the first of 200 steps, over that at the last."""
    torch.manual_seed(0)
    network = Recurrent(1, CellOptions(cell, 32, forget_bias=5.0)).double()
    inputs = torch.randn(4, FAR, 1, dtype=torch.float64, requires_grad=True)
    network(inputs)[1].hidden.sum().backward()
    size = inputs.grad.norm(dim=(0, 2))
    return float(size[0] / size[-1])


def test_the_gradient_through_200_steps_vanishes_for_elman_and_not_for_lstm():
    assert far_gradient("elman") < 1e-6
    assert far_gradient("lstm") > 1e-2


def train(network, head, batches, rate=0.01):
    """Train over batches of (past, known, static, target)."""
    optimizer = torch.optim.Adam(network.parameters(), rate)
    for past, known, static, target in batches:
        optimizer.zero_grad()
        head.loss(network(past, known, static, target), target).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network.eval()


def windows(values, starts, context, horizon):
    """Windows (past, known, static, target) of `values` (steps, channels) at `starts`."""
    spans = torch.stack([values[s : s + context + horizon] for s in starts])
    nothing = torch.zeros(len(spans), context + horizon, 0)
    return spans[:, :context], nothing, torch.zeros(len(spans), 0), spans[:, context:]


DOUG, JANE, SPOT, SAW, STOP = range(5)


def storybook(count):
    """Sentences of a children's book: one sees another one, never oneself."""
    words = []
    for _ in range(count):
        first, second = torch.randperm(3)[:2].tolist()
        words += [first, SAW, second, STOP]
    return words


def allowed(words):
    """Symbols that may follow a text made of whole sentences and a beginning."""
    part = words[len(words) - len(words) % 4 :]
    match len(part):
        case 0:
            return {DOUG, JANE, SPOT}
        case 1:
            return {SAW}
        case 2:
            return {DOUG, JANE, SPOT} - {part[0]}
    return {STOP}


def test_the_childrens_book_is_never_written_wrongly():
    torch.manual_seed(0)
    head = build_head("categorical", categories=5)
    network = build_model("direct", head=head, context_length=8, horizon=1, hidden_size=32)
    text = torch.tensor(storybook(1500), dtype=torch.float32).unsqueeze(-1)

    def draws():
        for _ in range(800):
            yield windows(text, torch.randint(len(text) - 9, (64,)).tolist(), 8, 1)

    train(network, head, draws())
    words = storybook(2)
    for _ in range(200):
        past = torch.tensor(words[-8:], dtype=torch.float32).view(1, 8, 1)
        with torch.no_grad():
            chance = network(past, torch.zeros(1, 9, 0), torch.zeros(1, 0))[0, 0, 0].exp()
        wrong = [code for code in range(5) if code not in allowed(words)]
        assert float(chance[wrong].sum()) < 0.05
        words.append(int(torch.multinomial(torch.where(chance > 0.05, chance, 0.0), 1)))
        assert words[-1] in allowed(words[:-1])
    assert {DOUG, JANE, SPOT} < set(words[8:])


def weather(days):
    """High, low, wind, precipitation, humidity: fronts pass, seasons turn."""
    season = torch.sin(2 * torch.pi * torch.arange(days) / 365)
    front = torch.zeros(days + 1)
    noise = torch.randn(days + 1, 5) * 0.3
    for day in range(1, days + 1):
        front[day] = 1.6 * front[day - 1] - 0.8 * front[day - 2] + noise[day, 0]
    now, before = front[1:], front[:-1]
    channels = [
        season + 0.6 * now,
        season + 0.4 * now - 0.3 * before,
        before - now,
        torch.relu(before),
        0.5 * before - 0.5 * season,
    ]
    return torch.stack(channels, dim=1) + 0.1 * noise[1:]


def test_a_weather_vector_gives_tomorrows():
    torch.manual_seed(0)
    head = build_head("point", loss="mse")
    network = build_model(
        "direct", head=head, context_length=14, horizon=1, target_count=5, hidden_size=32
    )
    values = weather(1500)

    def draws():
        for _ in range(150):
            yield windows(values[:1100], torch.randint(1085, (64,)).tolist(), 14, 1)

    train(network, head, draws())
    past, known, static, target = windows(values, range(1100, 1480), 14, 1)
    with torch.no_grad():
        error = (head.point(network(past, known, static)) - target).abs().mean(dim=(0, 1))
    same_as_today = (past[:, -1:] - target).abs().mean(dim=(0, 1))
    assert bool((error < 0.9 * same_as_today).all()), error / same_as_today


@pytest.mark.parametrize("kind", ["direct", "recursive", "encoder_decoder"])
def test_a_sine_is_forecast_better_than_by_the_seasonal_naive(kind):
    torch.manual_seed(0)
    head = build_head("point")
    network = build_model(
        kind,
        head=head,
        context_length=24,
        horizon=6,
        hidden_size=16,
        normalization="none",
        teacher_forcing=(0.0, 0.0),
    )
    steps = torch.arange(1500)
    values = (torch.sin(2 * torch.pi * steps / 12) + 0.2 * torch.randn(1500)).unsqueeze(-1)

    def draws():
        for _ in range(150):
            yield windows(values[:1200], torch.randint(1170, (64,)).tolist(), 24, 6)

    train(network, head, draws())
    past, known, static, target = windows(values, range(1200, 1470), 24, 6)
    with torch.no_grad():
        error = (head.point(network(past, known, static)) - target).abs().mean()
    seasonal_naive = (past[:, -12:-6] - target).abs().mean()
    assert float(error) < 0.85 * float(seasonal_naive)


def test_a_virtual_sensor_learns_the_target_from_the_other_channels():
    torch.manual_seed(0)
    head = build_head("point")
    network = build_model(
        "aligned", head=head, context_length=8, horizon=4, known_count=2, hidden_size=16
    )
    known = torch.randn(700, 2)
    sensor = torch.tanh(known[1:, :1] - known[:-1, 1:])  # today's one channel, yesterday's other

    def draw(starts):
        spans = torch.stack([known[s : s + 12] for s in starts])
        target = torch.stack([sensor[s + 7 : s + 11] for s in starts])
        return torch.full((len(spans), 8, 1), torch.nan), spans, torch.zeros(len(spans), 0), target

    train(network, head, (draw(torch.randint(500, (64,)).tolist()) for _ in range(150)))
    past, spans, static, target = draw(range(520, 680))
    with torch.no_grad():
        error = (head.point(network(past, spans, static)) - target).abs().mean()
    assert float(error) < 0.3 * float((target - target.mean()).abs().mean())


def test_a_sensor_installed_today_is_told_from_what_it_is():
    """One-to-many: no history at all, the level follows from a static covariate."""
    torch.manual_seed(0)
    head = build_head("point")
    network = build_model(
        "direct", head=head, context_length=6, horizon=3, static_count=1, hidden_size=8
    )

    def draw(count):
        static = torch.rand(count, 1)
        target = static.unsqueeze(1) * torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1)
        return torch.full((count, 6, 1), torch.nan), torch.zeros(count, 9, 0), static, target

    train(network, head, (draw(64) for _ in range(200)), rate=0.02)
    past, known, static, target = draw(100)
    with torch.no_grad():
        error = (head.point(network(past, known, static)) - target).abs().mean()
    assert float(error) < 0.1
