"""Everything a person can get wrong, through the real command line: message, exit code, no trace.

Each case breaks one thing in a folder that works, runs one verb, and asks four things: the exit
code; that the message names file, place, value and mend; that there is no traceback; and that
nothing half-written is left. The verbs run in this process, through the same `main` as the
installed command; one case of each exit code runs in a process of its own as well.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from pipelines.cli import main
from tests.bad_input.case import Case, build, leftovers, tree
from tests.bad_input.config_cases import CONFIG_CASES
from tests.bad_input.data_cases import DATA_CASES
from tests.bad_input.hostile_cases import HOSTILE_CASES
from tests.bad_input.joined_cases import JOINED_CASES
from tests.bad_input.search_cases import SEARCH_CASES
from tests.bad_input.service_cases import SERVICE_CASES
from tests.bad_input.values_cases import VALUES_CASES

CASES = [
    *CONFIG_CASES,
    *DATA_CASES,
    *HOSTILE_CASES,
    *JOINED_CASES,
    *SEARCH_CASES,
    *SERVICE_CASES,
    *VALUES_CASES,
]
PROCESS_CASES = ("unknown-key", "text-in-number-column")


def unmet(case: Case, code: int, printed: str) -> list[str]:
    """Return what a case asks for and did not get."""
    missing = [f"says {text!r}" for text in case.says if text not in printed]
    wrong = [] if code == case.code else [f"exit code {case.code}, not {code}"]
    trace = ["no traceback"] if "Traceback" in printed else []
    blame = ["a message of ours"] if "a fault of this program" in printed else []
    return [*wrong, *missing, *trace, *blame]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_told(
    case: Case,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    if case.trained:
        shutil.copytree(request.getfixturevalue("trained_site"), tmp_path, dirs_exist_ok=True)
    build(case, tmp_path)
    before = tree(tmp_path)
    with case.during(tmp_path):
        code = main(list(case.args))
    printed = "".join(capsys.readouterr())
    assert unmet(case, code, printed) == [], printed
    assert leftovers(case, before, tree(tmp_path)) == [], printed


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in PROCESS_CASES], ids=lambda case: case.name
)
def test_the_process_says_the_same(
    case: Case, tmp_path: Path, cli: Callable[..., CompletedProcess[str]]
) -> None:
    build(case, tmp_path)
    done = cli(*case.args)
    assert unmet(case, done.returncode, done.stdout + done.stderr) == [], done.stderr


def test_there_are_enough_cases_and_no_two_alike() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert set(PROCESS_CASES) <= set(names)
