from __future__ import annotations

import pytest

from backchannel import core
from backchannel.errors import UsageError
from backchannel.tui.commands import COMMANDS, Answer, Command, Line, Mute, Quit, Status, Stop, Updates, read_line


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("run the tests", Line("run the tests")),
        ("  run the tests\n", Line("run the tests")),
        ("/status", Status()),
        (" /stop ", Stop()),
        ("/quit", Quit()),
        ("/mute", Mute(muted=True)),
        ("/unmute", Mute(muted=False)),
        ("/updates results", Updates(core.Speech.RESULTS)),
        ("/approve", Answer(approved=True, approval_id=None)),
        ("/decline  a1", Answer(approved=False, approval_id="a1")),
        ("", None),
        (" \t", None),
    ],
)
def test_a_line_says_this(line: str, command: Command | None) -> None:
    assert read_line(line) == command


def test_a_command_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(UsageError) as caught:
        read_line("/dance")
    assert str(caught.value) == f"unknown command /dance; there are {', '.join(COMMANDS)}"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/stop it", "/stop: expected nothing after it, got 'it'"),
        ("/updates", "/updates: expected one of silent, results, milestones, chatty after it, got ''"),
        ("/updates immediate", "/updates: expected one of silent, results, milestones, chatty after it"),
    ],
)
def test_a_command_that_is_used_wrongly_says_how_it_is_used(line: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_line(line)
    assert str(caught.value).startswith(says)
