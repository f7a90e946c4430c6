from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.scans import ClaudeCodeLogs, CodexLogs, GaveUp, SessionLogs, Stop
from backchannel.context.scans.session_logs import MAX_LOOKED_AT
from backchannel.testing import ManualClock
from backchannel.threads import Thread

if TYPE_CHECKING:
    from pathlib import Path

PATIENT = Stop(ManualClock(), at=1.0)


def _lines(*entries: object) -> str:
    return "".join(f"{entry if isinstance(entry, str) else json.dumps(entry)}\n" for entry in entries)


def _meta(session_id: str = "s", cwd: str = "/app", **more: object) -> dict[str, object]:
    payload = {"id": session_id, "cwd": cwd, "source": "cli", "base_instructions": {"text": "Be kind. " * 3000}, **more}
    return {"timestamp": "2026-01-02T03:04:05.000Z", "type": "session_meta", "payload": payload}


def _asked(text: str) -> dict[str, object]:
    return {"type": "event_msg", "payload": {"type": "user_message", "message": text}}


def _item(text: str, role: str = "user") -> dict[str, object]:
    content = [{"type": "input_text", "text": text}, {"type": "input_image"}, 7]
    return {"type": "response_item", "payload": {"type": "message", "role": role, "content": content}}


class Home:
    """A home of Codex, in which sessions are written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = SessionLogs(CodexLogs(str(folder)))

    def write(self, name: str, *entries: object, day: str = "2026/01/02", at_s: int = 1000) -> Path:
        place = self.folder / "sessions" / day
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"rollout-{name}.jsonl"
        path.write_text(_lines(*entries))
        os.utime(path, (at_s, at_s))
        return path

    def newest(self) -> list[Thread]:
        return list(self.logs.newest(PATIENT))


@pytest.fixture
def codex(tmp_path: Path) -> Home:
    return Home(tmp_path / "codex")


def test_a_session_of_codex_is_read(codex: Home) -> None:
    codex.write(
        "a",
        _meta("s1", "/app", git={"branch": "main", "commit_hash": "c"}),
        _item("<environment_context>"),
        _asked(" fix it "),
    )
    assert codex.newest() == [
        Thread(
            thread_id="s1",
            cwd="/app",
            created_at_ms=1_000_000,
            updated_at_ms=1_000_000,
            branch="main",
            first_ask="fix it",
            source="codex",
        )
    ]


@pytest.mark.parametrize(
    ("entries", "ask"),
    [
        ([_item("# AGENTS.md instructions for /app"), _item("<user_instructions>"), _item("fix it")], "fix it"),
        ([_item("done", "assistant"), _item("fix it")], "fix it"),
        ([_item("  "), _asked("fix it")], "fix it"),
        ([_item("<environment_context>")], None),
        (["{", "null", "[]", '{"type": "event_msg", "payload": "user_message"}', _asked("fix it")], "fix it"),
        ([{"type": "event_msg", "payload": {"type": "user_message", "message": 7}}, _asked("fix it")], "fix it"),
        ([{"type": "response_item", "payload": {"type": "message", "role": "user", "content": "x"}}], None),
        (["[" * 100_000 + '"user"', _asked("fix it")], "fix it"),
    ],
)
def test_what_was_asked_first_is_found(codex: Home, entries: list[object], ask: str | None) -> None:
    codex.write("a", _meta(), *entries)
    (thread,) = codex.newest()
    assert thread.first_ask == ask
    assert thread.branch is None


def test_sessions_that_an_agent_began_are_not_the_users(codex: Home) -> None:
    codex.write("a", _meta("s1", source={"subagent": "review"}), _asked("fix it"))
    codex.write("b", _meta("s2", source="vscode"), _asked("fix that"))
    assert [thread.thread_id for thread in codex.newest()] == ["s2"]


def test_files_that_say_nothing_are_passed_over(codex: Home) -> None:
    codex.write("a")
    codex.write("b", _asked("no meta"))
    codex.write("c", "x" * 500_000)
    (codex.folder / "sessions" / "2026" / "01" / "02" / "rollout-d.jsonl").mkdir()
    (codex.folder / "sessions" / "notes.txt").write_text("no year")
    (codex.folder / "sessions" / "2026" / "01" / "02" / "other.txt").write_text("no session")
    assert codex.newest() == []


def test_the_forty_that_were_worked_on_last_come_newest_first(codex: Home) -> None:
    for number in range(60):
        # An older session that was taken up again is as new as its last line.
        at_s = 10_000 if number == 3 else 1000 + number
        codex.write(
            f"{number:02}", _meta(f"s{number}"), _asked("fix it"), day=f"2026/01/{1 + number // 10:02}", at_s=at_s
        )
    found = [thread.thread_id for thread in codex.newest()]
    assert found == ["s3", *(f"s{number}" for number in range(59, 20, -1))]


def test_only_the_newest_files_are_looked_at(codex: Home) -> None:
    for number in range(MAX_LOOKED_AT + 5):
        codex.write(f"{number:04}", _meta(f"s{number}"), _asked("x"), at_s=1000 - number)
    found = {thread.thread_id for thread in codex.newest()}
    assert "s0" not in found
    assert f"s{MAX_LOOKED_AT + 4}" not in found
    assert "s5" in found


def test_a_beginning_is_read_once(codex: Home) -> None:
    path = codex.write("a", _meta("s1"), _asked("first words"))
    assert codex.newest()[0].first_ask == "first words"
    path.write_text(_lines(_meta("s1"), _asked("other words")))
    os.utime(path, (2000, 2000))
    (thread,) = codex.newest()
    assert (thread.first_ask, thread.updated_at_ms) == ("first words", 2_000_000)


def test_a_session_that_has_only_begun_is_read_again(codex: Home) -> None:
    path = codex.write("a", _meta("s1"))
    assert codex.newest()[0].first_ask is None
    path.write_text(_lines(_meta("s1"), _asked("first words")))
    assert codex.newest()[0].first_ask == "first words"


def test_it_gives_up_when_it_takes_too_long(codex: Home) -> None:
    codex.write("a", _meta("s1"))
    with pytest.raises(GaveUp):
        codex.logs.newest(Stop(ManualClock(start_s=2.0), at=1.0))


def test_where_an_agent_is_not_used_there_is_nothing(tmp_path: Path) -> None:
    assert SessionLogs(CodexLogs(str(tmp_path / "none"))).newest(PATIENT) == ()
    assert SessionLogs(ClaudeCodeLogs(str(tmp_path / "none"))).newest(PATIENT) == ()
    assert SessionLogs(ClaudeCodeLogs(os.devnull)).newest(PATIENT) == ()


def _said(content: object, **more: object) -> dict[str, object]:
    entry = {
        "type": "user",
        "cwd": "/app",
        "sessionId": "c1",
        "gitBranch": "main",
        "message": {"role": "user", "content": content},
    }
    return {**entry, **more}


@pytest.mark.parametrize(
    ("entries", "ask"),
    [
        ([_said("fix it")], "fix it"),
        ([_said([{"type": "text", "text": "fix"}, {"type": "image"}, {"type": "text", "text": "it"}])], "fix\nit"),
        ([{"type": "summary", "summary": "old work"}, _said("fix it")], "fix it"),
        ([_said("Caveat: The messages below were generated by the user"), _said("fix it")], "fix it"),
        ([_said("<command-name>/clear</command-name>"), _said("fix it")], "fix it"),
        ([_said("warmup", isMeta=True), _said("fix it")], "fix it"),
        ([_said("done", type="assistant"), _said("fix it")], "fix it"),
        ([_said([{"type": "tool_result", "content": "x"}]), _said("fix it")], "fix it"),
        ([_said(7), _said(None, message=None), '{"cwd": 7}', _said("fix it")], "fix it"),
        ([_said("x", type="assistant")], None),
    ],
)
def test_a_session_of_claude_code_is_read(tmp_path: Path, entries: list[object], ask: str | None) -> None:
    project = tmp_path / "projects" / "-app"
    project.mkdir(parents=True)
    (project / "c1.jsonl").write_text(_lines(*entries))
    (project / "agent-1.jsonl").write_text(_lines(_said("of a helper")))
    (project / "c2.jsonl").write_text(_lines(_said("aside", isSidechain=True)))
    (tmp_path / "projects" / "stray.jsonl").write_text(_lines(_said("no project")))
    (thread,) = SessionLogs(ClaudeCodeLogs(str(tmp_path))).newest(PATIENT)
    assert (thread.thread_id, thread.cwd, thread.branch, thread.source) == ("c1", "/app", "main", "claude_code")
    assert thread.first_ask == ask


@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from([b'{"cwd": "/a", "type": "user"}', b'{"type":"session_meta","payload":{"cwd":"/a"}}'])
    )
)
def test_whatever_stands_in_a_file_is_read(lines: list[bytes]) -> None:
    for folder in (CodexLogs("/none"), ClaudeCodeLogs("/none")):
        assert folder.read(lines).cwd in {"", "/a"}


def test_the_newest_of_all_projects_are_found(tmp_path: Path) -> None:
    logs = SessionLogs(ClaudeCodeLogs(str(tmp_path)))
    old, new = tmp_path / "projects" / "old", tmp_path / "projects" / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    entry = {"type": "user", "cwd": "/app", "sessionId": "s", "message": {"content": "fix it"}}
    for number in range(MAX_LOOKED_AT + 50):
        path = new / f"{number}.jsonl"
        path.write_text(_lines({**entry, "sessionId": f"other {number}"}))
        os.utime(path, (1000 + number, 1000 + number))
    lately = old / "a.jsonl"
    lately.write_text(_lines({**entry, "sessionId": "lately"}))
    os.utime(lately, (9000, 9000))
    # The folder of it was not touched since.
    os.utime(old, (10, 10))
    assert [thread.thread_id for thread in logs.newest(PATIENT)][:2] == ["lately", f"other {MAX_LOOKED_AT + 49}"]


def test_a_link_that_leads_nowhere_hides_no_session(tmp_path: Path) -> None:
    project = tmp_path / "projects" / "-app"
    project.mkdir(parents=True)
    # Folders list what they hold in an order of their own; so many, that some link comes before some session.
    for number in range(20):
        (project / f"gone{number}.jsonl").symlink_to("nowhere")
        (project / f"s{number}.jsonl").write_text(_lines(_said("fix it", sessionId=f"s{number}")))
    found = {thread.thread_id for thread in SessionLogs(ClaudeCodeLogs(str(tmp_path))).newest(PATIENT)}
    assert found == {f"s{number}" for number in range(20)}


def test_the_users_sessions_are_found_among_many_of_agents(codex: Home) -> None:
    for number in range(MAX_LOOKED_AT + 20):
        codex.write(f"z{number:04}", _meta(f"agent {number}", source={"subagent": "review"}), at_s=5000 + number)
    for number in range(3):
        codex.write(f"a{number}", _meta(f"mine {number}"), _asked("fix it"), at_s=1000 + number)
    assert [thread.thread_id for thread in codex.newest()] == ["mine 2", "mine 1", "mine 0"]


@pytest.mark.parametrize("at_a_time", [5, 3])
def test_so_many_files_are_read_and_no_more(codex: Home, monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr("backchannel.context.scans.session_logs.MAX_READ", 5)
    monkeypatch.setattr("backchannel.context.scans.session_logs.MAX_LOOKED_AT", at_a_time)
    for number in range(5):
        codex.write(f"z{number}", _meta(f"agent {number}", source={"subagent": "review"}))
    codex.write("a", _meta("mine"), _asked("fix it"))
    assert codex.newest() == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_pipe_among_the_sessions_keeps_nobody_waiting(codex: Home) -> None:
    codex.write("a", _meta("s1"), _asked("fix it"))
    os.mkfifo(codex.folder / "sessions" / "2026" / "01" / "02" / "rollout-b.jsonl")
    assert [thread.thread_id for thread in codex.newest()] == ["s1"]
