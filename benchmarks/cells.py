"""How fast each cell trains, beside torch's fused LSTM: windows a second on one CPU thread.

    python benchmarks/cells.py [--hidden 64 256] [--rounds 9] [--write]

Trains the direct model (context 168, horizon 24, batch 128, one target and four known
covariates, Adam) under the allocator setting of `forecast train`, denormal numbers flushed to
zero. The cells take turns, one step each a round; the figure is the median over rounds of the
step's CPU time, so that other work on the machine disturbs all alike. `--write` puts the table
into docs/models-family.md. Measures neither accuracy nor GPUs.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from forecast.models.architecture import Architecture, HeadSpec  # noqa: E402
from forecast.models.build import build_head, build_model  # noqa: E402
from forecast.training.allocator import keep_freed_memory  # noqa: E402
from forecast.vocabulary import CellName  # noqa: E402

BATCH, CONTEXT, HORIZON, KNOWN = 128, 168, 24, 4
PAGE = ROOT / "docs" / "models-family.md"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
VARIANTS = {
    **{cell: {"cell": cell} for cell in get_args(CellName)},
    "peephole, full matrices": {"cell": "peephole", "peepholes": "full"},
    "peephole, identity output": {"cell": "peephole", "output_identity": True},
    "lstm on this loop": {"cell": "no_peepholes"},
}


def training_step(hidden_size, options):
    """Return a function that trains one model by one step."""
    torch.manual_seed(0)
    head = build_head(HeadSpec("point"))
    sizes = {"context_length": CONTEXT, "horizon": HORIZON, "known_count": KNOWN}
    model = build_model(Architecture("direct", hidden_size=hidden_size, **sizes, **options), head)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    past, known = torch.randn(BATCH, CONTEXT, 1), torch.randn(BATCH, CONTEXT + HORIZON, KNOWN)
    static, target = torch.zeros(BATCH, 0), torch.randn(BATCH, HORIZON, 1)

    def step():
        optimizer.zero_grad()
        head.loss(model(past, known, static), target).backward()
        optimizer.step()

    return step


def measure(hidden_size, rounds):
    """Return windows a CPU second of each variant."""
    steps = {name: training_step(hidden_size, options) for name, options in VARIANTS.items()}
    seconds = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            seconds[name].append(time.process_time() - begin)
    return {name: BATCH / statistics.median(times) for name, times in seconds.items()}


def processor():
    """Return the processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def table(hidden_sizes, rounds):
    """Measure, and return the table as Markdown."""
    results = {hidden: measure(hidden, rounds) for hidden in hidden_sizes}
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    columns = [f"windows/s at {h} | of `lstm`" for h in hidden_sizes]
    machine = f"{processor()}, one thread, torch {torch.__version__}"
    lines = [
        f"{machine}, commit {commit}, median of {rounds} rounds.",
        "",
        "| cell | " + " | ".join(columns) + " |",
        "|---|" + "---|" * (2 * len(hidden_sizes)),
    ]
    for name in VARIANTS:
        cells = [
            f"{result[name]:,.0f} | {result[name] / result['lstm']:.2f}"
            for result in results.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="put the table into the docs page")
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    text = table(arguments.hidden, arguments.rounds)
    print(text)
    if arguments.write:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
