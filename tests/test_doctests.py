"""Every example in a docstring runs and gives what it says."""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.conftest import ROOT


def modules() -> list[str]:
    """Return the modules of the program that hold examples."""
    files = [path for room in ("forecast", "pipelines") for path in (ROOT / room).rglob("*.py")]
    told = [path for path in sorted(files) if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in told]


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings_hold(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name.removesuffix(".__init__"))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0
