"""Every command of the README runs, in the order a reader would type them."""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from forecast.config import load_config

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The same commands on a smaller model: these tests ask whether they run, not how good they are.
SMALL = [
    *("--set", "training.epochs=1", "--set", "training.windows_per_epoch=256"),
    *("--set", "model.hidden_size=8", "--set", "model.kind=direct"),
    *("--set", "model.linear.enabled=false", "--set", "windows.context=2d"),
]


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[list[str]]:
    """Yield every command of the shell blocks, word by word, comments left out."""
    for block in blocks("sh"):
        for text in block.splitlines():
            if words := shlex.split(text, comments=True):
                yield words


def test_the_forecast_commands_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: each other one would import for seconds."""
    from pipelines.cli import main

    folder, ran = tmp_path, []
    for program, *arguments in commands():
        if program == "cd":
            folder = folder / arguments[0]
        elif program == "forecast":
            takes_config = arguments[-1].endswith(".yaml")
            monkeypatch.chdir(folder)
            code = main([*arguments, *(SMALL if takes_config else [])])
            assert code == 0, f"{arguments}: {capsys.readouterr()}"
            ran.append(arguments[0])
    assert ran[:4] == ["init", "check", "train", "predict"]
    assert list(folder.glob("forecasts/nyc-weather/cutoff=2013-12-30T23-00Z/_SUCCESS.json"))


def test_the_make_targets_exist() -> None:
    targets = [words[1] for words in commands() if words[0] == "make"]
    assert targets == ["quickstart", "test"]
    for target in targets:
        subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )


def test_every_command_is_known() -> None:
    assert {words[0] for words in commands()} <= {"make", ".", "forecast", "cd"}


def test_the_config_shown_is_the_bundled_one(tmp_path: Path) -> None:
    (shown,) = blocks("yaml")
    path = tmp_path / "shown.yaml"
    path.write_text(shown, encoding="utf-8")
    config = load_config(path)
    bundled = load_config(ROOT / "configs" / "nyc-weather.yaml")
    assert (config.windows, config.schedule) == (bundled.windows, bundled.schedule)
    assert config.data.covariates == bundled.data.covariates


@pytest.mark.parametrize(
    "verb", re.findall(r"`forecast ([a-z]+(?: [a-z]+)?) forecast\.yaml`", README)
)
def test_verbs_named_in_the_text_exist(
    verb: str, cli: Callable[..., CompletedProcess[str]]
) -> None:
    done = cli(*verb.split(), "--help")
    assert done.returncode == 0, done.stderr


def test_the_exit_codes_are_those_of_the_code() -> None:
    from forecast import errors

    table = dict(re.findall(r"^\| (\d) \| (.+?) \|$", README, re.MULTILINE))
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    assert {str(one.exit_code) for one in classes} | {"0"} == set(table)


def test_yaml_blocks_of_the_docs_are_yaml() -> None:
    for page in ROOT.glob("docs/*.md"):
        for block in re.findall(
            r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            assert yaml.safe_load(block) is not None, page
