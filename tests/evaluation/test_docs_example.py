"""The example of docs/evaluation.md runs as it stands."""

import re
from pathlib import Path

from tests.builders import frame_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"


def test_the_python_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {"frame": frame_of(1200, series=2)})
    assert 0.0 < float(capsys.readouterr().out) < 1.0
