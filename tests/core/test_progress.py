import io
import re

import pytest
from rich.console import Console

from cisgram.core import progress as module
from cisgram.core.progress import progress


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def plain(terminal: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


@pytest.fixture
def terminal(monkeypatch) -> io.StringIO:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(module, "Console", lambda **_: console)
    return screen


def test_short_work_writes_nothing_to_a_log(capsys):
    with progress("fitting genes", 3) as ticker:
        for _ in range(3):
            ticker.advance()
    assert capsys.readouterr() == ("", "")


def test_log_gets_a_line_every_half_minute_with_the_time_left(capsys, clock):
    with progress("fitting genes", 1000) as ticker:
        for _ in range(7):
            clock[0] += 10
            ticker.advance(100)
    assert capsys.readouterr().err.splitlines() == [
        "fitting genes: 300 of 1,000, about 70 s left",
        "fitting genes: 600 of 1,000, about 40 s left",
    ]


def test_log_counts_on_from_an_earlier_run_without_mistaking_it_for_speed(capsys, clock):
    with progress("fitting genes", 1000, done=900) as ticker:
        for _ in range(2):
            clock[0] += 40
            ticker.advance(20)
    assert capsys.readouterr().err.splitlines() == [
        "fitting genes: 920 of 1,000",
        "fitting genes: 940 of 1,000, about 120 s left",
    ]


def test_what_precedes_the_first_piece_is_not_taken_for_the_pace(capsys, clock):
    with progress("fitting genes", 100) as ticker:
        clock[0] += 25  # a compiler
        ticker.advance()
        clock[0] += 6
        ticker.advance(3)
    assert capsys.readouterr().err == "fitting genes: 4 of 100, about 192 s left\n"


def test_terminal_names_no_time_before_some_seconds_have_passed(terminal, clock):
    with progress("fitting genes", 100) as ticker:
        clock[0] += 25
        ticker.advance()
        clock[0] += 1
        ticker.advance()
        clock[0] += 5
        ticker.advance()
    assert "ETA -:--:--" in plain(terminal)
    assert "ETA 0:04:51" in plain(terminal)  # 97 pieces, two in six seconds


def test_a_stage_has_one_label(capsys, clock):
    with progress("scoring variants", 10) as outer:
        with progress("predicting", 5) as inner:
            clock[0] += 40
            inner.advance(5)
        with progress("scoring variants", 5) as inner:
            inner.advance(2)
        outer.advance(3)
    with progress("writing", 5) as later:
        clock[0] += 40
        later.advance()
    assert capsys.readouterr().err.splitlines() == ["scoring variants: 2 of 10", "writing: 1 of 5"]


def test_log_without_a_total_counts(capsys, clock):
    with progress("reading variants") as ticker:
        clock[0] += 40
        ticker.advance(12_345)
    assert capsys.readouterr().err == "reading variants: 12,345\n"


def test_log_of_nothing_done_yet_names_no_time(capsys, clock):
    with progress("fitting genes", 10) as ticker:
        clock[0] += 40
        ticker.advance(0)
    assert capsys.readouterr().err == "fitting genes: 0 of 10\n"


def test_terminal_shows_a_bar_with_counts(terminal):
    with progress("fitting genes", 10, done=4) as ticker:
        ticker.advance(3)
    shown = terminal.getvalue()
    assert "fitting genes" in shown
    assert "7/10" in shown
    assert "ETA" in shown


def test_bar_is_taken_down_when_the_work_fails(terminal):
    with pytest.raises(ZeroDivisionError), progress("fitting genes", 10):
        raise ZeroDivisionError
    assert terminal.getvalue().endswith("\x1b[?25h")
