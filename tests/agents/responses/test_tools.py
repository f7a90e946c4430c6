"""What a model may ask of its tools, and how it is told that it asked wrongly."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents.responses.items import Call
from backchannel.agents.responses.tools import (
    ApplyPatch,
    ExecCommand,
    ToolError,
    Use,
    WriteStdin,
    read_call,
    tools_json,
)


def read(name: str, arguments: object, *, is_freeform: bool = False) -> Use:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return read_call(Call("c", name, text, "{}", is_freeform))


@pytest.mark.parametrize(
    ("arguments", "use"),
    [
        ({"cmd": "printf tool-ok"}, ExecCommand(shell="printf tool-ok")),
        ({"command": "ls"}, ExecCommand(shell="ls")),
        ({"cmd": ["bash", "-lc", "ls | wc"]}, ExecCommand(shell="ls | wc")),
        ({"cmd": ["git", "log", "a b"]}, ExecCommand(shell="git log 'a b'", argv=("git", "log", "a b"))),
        (
            {
                "cmd": "make",
                "workdir": "src",
                "timeout_ms": 1500,
                "yield_time_ms": 250,
                "max_output_tokens": 10,
                "sandbox_permissions": "require_escalated",
                "justification": "It\n needs the network.",
                "unknown": 1,
            },
            ExecCommand(
                shell="make",
                workdir="src",
                limit_s=1.5,
                yield_s=0.25,
                max_chars=40,
                escalated=True,
                reason="It needs the network.",
            ),
        ),
        ({"cmd": "make", "with_escalated_permissions": True}, ExecCommand(shell="make", escalated=True)),
        ({"cmd": "make", "sandbox_permissions": "use_default", "workdir": ""}, ExecCommand(shell="make")),
    ],
)
def test_commands(arguments: object, use: ExecCommand) -> None:
    assert read("exec_command", arguments) == use


def test_looking_after_a_command() -> None:
    assert read("write_stdin", {"session_id": 3}) == WriteStdin(session_id=3)
    assert read("write_stdin", {"session_id": 3, "chars": "\x03"}) == WriteStdin(session_id=3, stops=True)
    assert read("write_stdin", {"session_id": 3, "chars": "", "yield_time_ms": 500}) == WriteStdin(
        session_id=3, yield_s=0.5
    )


def test_patches_come_in_two_forms() -> None:
    assert read("apply_patch", {"input": "p"}) == ApplyPatch("p")
    assert read("apply_patch", "p", is_freeform=True) == ApplyPatch("p")


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("dance", {}, "There is no tool 'dance'; there are exec_command, write_stdin and apply_patch."),
        ("exec_command", "{", "The arguments of exec_command do not fit"),
        ("exec_command", [], "The arguments of exec_command do not fit"),
        ("exec_command", {}, "exec_command needs cmd"),
        ("exec_command", {"cmd": " "}, "exec_command needs cmd"),
        ("exec_command", {"cmd": []}, "exec_command needs cmd"),
        ("exec_command", {"cmd": "a\0b"}, "NUL"),
        ("exec_command", {"cmd": "a", "timeout_ms": -1}, "timeout_ms must not be negative"),
        ("exec_command", {"cmd": 3}, "do not fit"),
        ("write_stdin", {"session_id": 1, "chars": "yes\n"}, "Commands take no input here"),
        ("write_stdin", {}, "do not fit"),
        ("apply_patch", "*** Begin Patch", "The arguments of apply_patch do not fit"),
    ],
)
def test_a_call_that_cannot_be_carried_out_is_explained(name: str, arguments: object, said: str) -> None:
    with pytest.raises(ToolError) as caught:
        read(name, arguments)
    assert said in str(caught.value)


@given(st.sampled_from(["exec_command", "write_stdin", "apply_patch", "x"]), st.text(max_size=40), st.booleans())
def test_any_call_is_read_or_explained(name: str, arguments: str, is_freeform: bool) -> None:  # noqa: FBT001 - Hypothesis
    with contextlib.suppress(ToolError):
        read(name, arguments, is_freeform=is_freeform)


@pytest.mark.parametrize("freeform", [True, False])
def test_every_tool_is_described(*, freeform: bool) -> None:
    tools = json.loads(tools_json(freeform=freeform))

    assert [tool["name"] for tool in tools] == ["exec_command", "write_stdin", "apply_patch"]
    assert [tool["type"] for tool in tools] == ["function", "function", "custom" if freeform else "function"]
    for tool in tools:
        assert tool["description"]
        if tool["type"] == "function":
            properties = tool["parameters"]["properties"]
            assert set(tool["parameters"]["required"]) <= set(properties)
            assert all(each["description"] for each in properties.values())
