"""The console writes plain lines into a log."""

import pytest

from pipelines.process import console


def test_say_prints_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("[bold]not markup[/bold]")
    console.say("fault", error=True)
    printed = capsys.readouterr()
    assert printed.out == "[bold]not markup[/bold]\n"
    assert printed.err == "fault\n"


def test_table_in_a_log_aligns_numbers_right(capsys: pytest.CaptureFixture[str]) -> None:
    console.table("Errors", ["model", "mae"], [["lstm", 2.5], ["naive", 12], ["none", None]])
    assert capsys.readouterr().out.splitlines() == [
        "Errors",
        "model  mae",
        "lstm   2.5",
        "naive   12",
        "none     -",
    ]


def test_table_on_a_terminal_shows_brackets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "is_terminal", lambda: True)
    console.table("T", ["column"], [["[red]x"]])
    assert "[red]x" in capsys.readouterr().out


def test_an_empty_table_shows_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    console.table("", ["a", "b"], [])
    assert capsys.readouterr().out == "a  b\n"


def test_progress_in_a_log_ends_with_its_last_count(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("windows", total=3) as done:
        for count in range(1, 4):
            done(count)
    assert capsys.readouterr().out == "windows: 3/3\n"


def test_progress_on_a_terminal_moves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "is_terminal", lambda: True)
    with console.progress("windows", total=1) as done:
        done(1)
    assert "windows: 1/1" not in capsys.readouterr().out
