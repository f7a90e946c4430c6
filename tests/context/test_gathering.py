from __future__ import annotations

import os
import re
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from backchannel.config import Context
from backchannel.context import Gatherer, StartupContext
from backchannel.context.parts import make_context
from backchannel.core import Outcome
from backchannel.errors import LocalProtocolError
from backchannel.net import SystemClock
from backchannel.threads import (
    AgentSaid,
    Entry,
    MemoryThreads,
    RanTests,
    Spoken,
    Thread,
    TurnBegan,
    TurnEnded,
    UserAsked,
    VoiceBegan,
    VoiceEnded,
)
from tests.context.scans.test_repository import git, repository

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from backchannel.context.parts import Seen

PATIENT = Context(deadline_ms=5000)
REFERENCE = Context(level="reference", deadline_ms=5000)


class Desk:
    """A home, a store and a gatherer over them."""

    def __init__(self, folder: Path, *, store: MemoryThreads | None = None) -> None:
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.store = store or MemoryThreads()
        env = {
            "PATH": os.environ["PATH"],
            "CODEX_HOME": str(self.home / ".codex"),
            "CLAUDE_CONFIG_DIR": str(self.home / ".claude"),
        }
        self.gatherer = Gatherer(env=env, home=self.home, store=self.store)

    def thread(self, thread_id: str, cwd: Path, *entries: Entry, at_ms: int = 1000, branch: str | None = None) -> None:
        self.store.create(
            Thread(thread_id=thread_id, cwd=str(cwd), created_at_ms=at_ms, updated_at_ms=at_ms, branch=branch)
        )
        self.store.append(thread_id, entries)

    async def gathered(self, cwd: Path, *, thread_id: str | None = None, options: Context = PATIENT) -> StartupContext:
        return await self.gatherer.begin(str(cwd), thread_id=thread_id, options=options).collect()

    async def settled(self, cwd: Path, title: str, *, options: Context = PATIENT) -> str:
        """The text, once a part is in it that may come late the first time."""
        for _ in range(500):
            text = (await self.gathered(cwd, options=options)).text
            if f"## {title}\n" in text:
                return text
        raise AssertionError(f"never told: {title}")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def standings(context: StartupContext) -> dict[str, str]:
    return {part.name.value: part.standing.value for part in context.parts}


async def test_an_empty_folder_is_nothing_to_speak_of(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    context = await desk.gathered(tmp_path / "empty")
    assert context.text == ""
    assert set(standings(context).values()) == {"empty"}


async def test_a_folder_that_is_gone_is_nothing_either(desk: Desk, tmp_path: Path) -> None:
    assert (await desk.gathered(tmp_path / "gone")).text == ""


async def test_a_folder_without_a_repository_is_mapped(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").touch()
    context = await desk.gathered(tmp_path / "notes")
    assert "Working directory tree:\n- todo.txt" in context.text
    assert "Git root" not in context.text
    assert standings(context)["repository_state"] == "empty"


async def test_a_bare_repository_is_a_folder_like_any_other(desk: Desk, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    text = (await desk.gathered(tmp_path / "bare.git")).text
    assert "- HEAD\n" in text
    assert "Git root" not in text


async def test_a_repository_is_told_with_its_state_and_guidance(desk: Desk, tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    (top / "web").mkdir()
    (top / "AGENTS.md").write_text("Be kind.\n")
    text = await desk.settled(top / "web", "Repository State")
    assert "Branch: main" in text
    assert "- AGENTS.md (not tracked)" in text
    assert "### AGENTS.md\nBe kind." in text
    assert f"Git root: {top}\n" in text
    assert "Git root tree:\n- web/\n- AGENTS.md\n- a.py" in text


async def test_a_worktree_is_told_as_part_of_its_project(desk: Desk, tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    git(top, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    desk.thread("a", top, UserAsked(at_ms=1, text="fix it"))
    text = await desk.settled(tmp_path / "side", "Repository State")
    assert "Branch: side" in text
    assert f"Git root: {top}\n" in text
    assert f"### Git repo: {top}\n" in text


async def test_a_submodule_is_told_as_a_project_of_its_own(desk: Desk, tmp_path: Path) -> None:
    inner, top = repository(tmp_path / "inner"), repository(tmp_path / "app")
    git(top, "submodule", "add", "-q", str(inner), "sub")
    text = await desk.settled(top / "sub", "Repository State")
    assert f"Git root: {top / 'sub'}\n" in text


async def test_the_work_of_a_thread_is_told(desk: Desk, tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    desk.thread(
        "a",
        top,
        VoiceBegan(at_ms=1),
        Spoken(at_ms=2, speaker="user", text="fix the login please"),
        UserAsked(at_ms=2, text="fix the login"),
        TurnBegan(at_ms=2, turn_id="t", request="fix the login"),
        RanTests(at_ms=3, command="make test", passed=False, failures=("test_login",)),
        AgentSaid(at_ms=4, text="It was a typo."),
        VoiceEnded(at_ms=5),
        at_ms=1,
    )
    desk.thread(
        "b", tmp_path, UserAsked(at_ms=9, text="other"), TurnBegan(at_ms=9, turn_id="u", request="other"), at_ms=9
    )
    context = await desk.gathered(top, thread_id="a")
    assert "User: fix the login please" in context.text
    assert "### Latest turn\nUser:\nfix the login\n\nAssistant:\nIt was a typo." in context.text
    running = [line for line in context.text.splitlines() if "(since " in line]
    assert [line.split(": ")[0] for line in running] == [f"- {top}", f"- {tmp_path}"]
    assert "The last run of tests failed: make test" in context.text
    desk.store.append("a", [RanTests(at_ms=6, command="make test", passed=True)])
    desk.store.append("a", [TurnEnded(at_ms=7, turn_id="t", outcome=Outcome.COMPLETED)])
    assert "make test" not in (await desk.gathered(top, thread_id="a")).text


async def test_tests_that_failed_in_another_project_are_its_own_business(desk: Desk, tmp_path: Path) -> None:
    top, other = repository(tmp_path / "app"), repository(tmp_path / "other")
    desk.thread("a", other, RanTests(at_ms=3, command="make test", passed=False))
    desk.thread("b", top)
    assert "make test" not in (await desk.gathered(top)).text


async def test_what_is_off_is_not_looked_at(desk: Desk, tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    off = {name: False for name in Context.__struct_fields__ if isinstance(getattr(Context(), name), bool)}
    context = await desk.gathered(top, options=msgspec.structs.replace(Context(), **off))
    assert context.text == ""
    assert set(standings(context).values()) == {"off"}


class _Broken(MemoryThreads):
    def recent(self, limit: int) -> tuple[Thread, ...]:
        raise LocalProtocolError("broken")

    def working(self) -> tuple[Thread, ...]:
        raise LocalProtocolError("broken")


async def test_a_store_that_breaks_takes_only_its_own_parts(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").touch()
    context = await Desk(tmp_path, store=_Broken()).gathered(tmp_path / "notes")
    found = standings(context)
    assert (found["recent_work"], found["open_work"], found["workspace_map"]) == ("failed", "failed", "told")
    assert "Could not be read: open work and recent work." in context.text


class _Stuck(MemoryThreads):
    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def recent(self, limit: int) -> tuple[Thread, ...]:
        self.may_go_on.wait(10)
        return super().recent(limit)


async def test_what_is_late_is_left_out_and_said_so(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").touch()
    store = _Stuck()
    desk = Desk(tmp_path, store=store)
    clock = SystemClock()
    began = clock.now()
    context = await desk.gathered(tmp_path / "notes", options=Context(deadline_ms=60))
    assert 0.05 < clock.now() - began < 3
    assert standings(context)["recent_work"] == "late"
    assert "Not ready in time and therefore missing: open work and recent work." in context.text
    assert "- todo.txt" in context.text
    store.may_go_on.set()


async def test_what_was_late_serves_the_next_session(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = repository(tmp_path / "app")
    await desk.settled(top, "Repository State")
    popen = subprocess.Popen
    may_go_on = threading.Event()

    def slow(*arguments: Any, **options: Any) -> Any:  # Any: of the standard library
        may_go_on.wait(10)
        return popen(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", slow)
    context = await desk.gathered(top)
    assert standings(context)["repository_state"] == "told"
    may_go_on.set()


async def test_nothing_but_the_folder_need_be_there(tmp_path: Path) -> None:
    (tmp_path / "todo.txt").touch()
    context = await Gatherer(env={}, home=None).begin(str(tmp_path), thread_id="a").collect()
    assert "- todo.txt" in context.text
    assert "User root" not in context.text


async def test_sessions_of_other_agents_count_as_recent_work(desk: Desk, tmp_path: Path) -> None:
    top = repository(tmp_path / "app")
    day = desk.home / ".codex" / "sessions" / "2026" / "01" / "02"
    day.mkdir(parents=True)
    (day / "rollout-a.jsonl").write_text(
        f'{{"type":"session_meta","payload":{{"id":"s","cwd":"{top}"}}}}\n'
        '{"type":"event_msg","payload":{"type":"user_message","message":"mend it"}}\n'
    )
    text = await desk.settled(top, "Recent Work")
    assert f"- {top}: mend it (Codex)" in text
    without = await desk.gathered(top, options=Context(deadline_ms=5000, codex_sessions=False))
    assert "mend it" not in without.text
    assert "Recent Work" not in (await desk.gathered(top, options=REFERENCE)).text


# The situations of the recordings, and what the reference told in them, by its headings and its lists.


def projected(text: str, root: Path, cwd: Path) -> list[str]:
    kept = r"(<startup_context>|</startup_context>|## |### (Git|Directory|Latest|Previous)|\s*- )"
    lines = [line.rstrip() for line in text.splitlines() if re.match(kept, line)]
    return [line.replace(str(cwd), "$CWD").replace(str(root), "$ROOT") for line in lines]


def workspace(root: Path) -> Path:
    cwd = root / "ws"
    (cwd / "src").mkdir(parents=True)
    (cwd / "README.md").write_text("# golden\n")
    (cwd / "src" / "main.py").write_text("print('hi')\n")
    return cwd


async def test_a_fresh_thread_is_told_the_map_as_the_reference_tells_it(desk: Desk, tmp_path: Path) -> None:
    cwd = workspace(tmp_path)
    desk.thread("a", cwd)
    context = await desk.gathered(cwd, thread_id="a", options=REFERENCE)
    assert projected(context.text, tmp_path, cwd) == [
        "<startup_context>",
        "## Machine / Workspace Map",
        "- src/",
        "  - main.py",
        "- README.md",
        "## Notes",
        "</startup_context>",
    ]


def _write(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x\n")


async def test_threads_turns_and_trees_are_told_as_the_reference_tells_them(desk: Desk, tmp_path: Path) -> None:
    cwd = workspace(tmp_path)
    for name, branch in (("repo_a", "main"), ("repo_b", "feature-x"), ("ws", "main")):
        folder = tmp_path / name
        _write(
            folder,
            ("Makefile", "sub/x.txt", "sub/deep/y.txt", "sub/deep/deeper/z.txt", ".hidden", "node_modules/pkg/a"),
        )
        git(folder, "init", "-q")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"first {name}")
        if branch != "main":
            git(folder, "checkout", "-qb", branch)
    _write(cwd / "src", (f"file_{number:02}.txt" for number in range(25)))
    _write(cwd, (f"top_{number:02}.txt" for number in range(22)))
    (desk.home / "Documents" / "notes").mkdir(parents=True)
    _write(desk.home, ("todo.txt",))
    for number, name in enumerate(("repo_a", "repo_b", "ws")):
        asks = (f"please fix bug one in {name}", "long ask " + "word " * 80)
        entries = [UserAsked(at_ms=1000 * number + 1, text=ask) for ask in asks]
        desk.thread(name, tmp_path / name, *entries, at_ms=1000 * number)
    desk.thread(
        "current",
        cwd,
        UserAsked(at_ms=9000, text="current thread question one"),
        AgentSaid(at_ms=9001, text="current answer one"),
        UserAsked(at_ms=9002, text="current thread question two"),
        AgentSaid(at_ms=9003, text="current answer two"),
        at_ms=9000,
    )
    context = await desk.gathered(cwd, thread_id="current", options=REFERENCE)
    assert projected(context.text, tmp_path, cwd) == [
        "<startup_context>",
        "## Current Thread",
        "### Latest turn",
        "### Previous turn 1",
        "## Recent Work",
        "### Git repo: $CWD",
        "- $CWD: current thread question one",
        "- $CWD: please fix bug one in ws",
        "### Git repo: $ROOT/repo_b",
        "- $ROOT/repo_b: please fix bug one in repo_b",
        "### Git repo: $ROOT/repo_a",
        "- $ROOT/repo_a: please fix bug one in repo_a",
        "## Machine / Workspace Map",
        "- src/",
        *(f"  - file_{number:02}.txt" for number in range(20)),
        "  - ... 6 more entries",
        "- sub/",
        "  - deep/",
        "  - x.txt",
        "- Makefile",
        "- README.md",
        *(f"- top_{number:02}.txt" for number in range(16)),
        "- ... 6 more entries",
        "- Documents/",
        "  - notes/",
        "- todo.txt",
        "## Notes",
        "</startup_context>",
    ]


async def test_what_takes_long_to_put_together_is_left_out_and_said(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").touch()
    whole = await desk.gathered(tmp_path / "app", options=REFERENCE)
    held, done = threading.Event(), threading.Event()
    here = threading.get_ident()

    def make_slowly(seen: Seen, options: Context) -> StartupContext:
        if threading.get_ident() != here:
            held.wait(10.0)
            done.set()
        return make_context(seen, options)

    monkeypatch.setattr("backchannel.context.gathering.make_context", make_slowly)
    late = await desk.gathered(tmp_path / "app", options=msgspec.structs.replace(REFERENCE, deadline_ms=1))
    assert not done.is_set()
    held.set()
    assert standings(whole)["workspace_map"] == "told"
    assert standings(late)["workspace_map"] == "late"
    assert "main.py" in whole.text
    assert late.text == ""
