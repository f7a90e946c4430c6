"""What the agent answers about real projects; its tests and steers have files of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from backchannel.agents import TurnRequest, WorkspaceAgent, WorkspaceOptions
from backchannel.core import AgentCommandEnded, Outcome, render_delegation
from backchannel.errors import LocalProtocolError
from tests.agents.projects import agent_in, ask, environment, git, make_repository, write

if TYPE_CHECKING:
    from pathlib import Path


async def said(root: Path, text: str, **env: str) -> str:
    async with agent_in(root, env=environment(root.parent, **env)) as agent:
        heard = await ask(agent, text)
    assert heard.outcome is Outcome.COMPLETED
    return heard.final


# ---- history --------------------------------------------------------------------------------------------------


async def test_what_changed_is_summed_up_in_a_sentence(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    async with agent_in(root) as agent:
        heard = await ask(agent, "what changed this week")
    assert heard.spoken == "Two commits this week by Ann and Bob, mostly in docs and core; three files changed."
    assert "Bob: Add retries" in heard.details
    assert "core/retry.py" in heard.details
    assert "Begin" not in heard.final
    assert heard.commands[0].startswith("git log")
    assert "Add retries" in heard.output
    assert [r.exit_status for r in heard.reports if isinstance(r, AgentCommandEnded)] == [0, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what changed today", "One commit today by Ann, in docs; one file changed."),
        ("what changed in core this month", "One commit in core this month by Bob; two files changed."),
        ("what changed yesterday", "No commits yesterday. The last one is today: Write the guide."),
        ("what changed since the last commit", "Everything is committed."),
        ("what changed since the last release", "There is no release tag to compare with."),
        ("what changed in the moon", "I found nothing called moon in this workspace."),
        ("what was the last commit", "The last commit is today by Ann: Write the guide; it changed guide.md."),
        ("show the last two commits", "Two commits, newest first; the last one: Write the guide."),
        ("who worked on core", "Bob with one commit in core; last was Bob on Tuesday."),
        ("which branch are we on", "You are on branch main."),
        ("git status", "Everything is committed."),
    ],
)
async def test_history_is_told(tmp_path: Path, text: str, expected: str) -> None:
    answer = await said(make_repository(tmp_path / "parcel"), text)
    assert answer.partition("\n\n")[0] == expected


async def test_what_is_not_committed_is_told(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    write(root, {"core/retry.py": "TIMEOUT = 4\n", "new.txt": "new\n"})
    assert (await said(root, "are there uncommitted changes")).startswith(
        "Two files are not committed: retry.py and new.txt; one of them is new."
    )
    assert "two files are not committed" in await said(root, "what changed this week")


async def test_a_release_bounds_what_changed(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    git(root, "tag", "v1", "HEAD~1")
    assert (await said(root, "what changed since the last release")).startswith(
        "One commit since the last release by Ann"
    )


async def test_a_folder_without_git_says_so(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    write(root, {"a.txt": "a\n"})
    for text in ("what changed today", "git status", "which branch are we on", "what changed since the last release"):
        answer = await said(root, text, GIT_CEILING_DIRECTORIES=str(tmp_path))
        assert answer == "This folder is not a git repository, so there is no history to look at."


async def test_an_empty_repository_says_so(tmp_path: Path) -> None:
    root = tmp_path / "new"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    assert await said(root, "what changed this week") == "This repository has no commits yet."
    assert await said(root, "show the last commits") == "This repository has no commits yet."
    assert (await said(root, "which branch are we on")).startswith("You are on branch main.")
    assert await said(root, "what is this project about") == "This workspace is empty."


async def test_without_git_the_agent_says_so(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    answer = await said(root, "what changed this week", PATH=str(tmp_path / "nothing"))
    assert answer.startswith("Git is not installed here")


async def test_the_repository_is_left_as_it_was(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    write(root, {"tests/test_one.py": "def test_one():\n    assert False\n"})
    before = {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}
    async with agent_in(root) as agent:
        for text in ("what changed this week", "git status", "run the tests", "search for timeout", "why did it fail"):
            await ask(agent, text)
    assert {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))} == before


# ---- searching ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "/nonexistent"], ids=["ripgrep", "without ripgrep"])
async def test_words_are_found(tmp_path: Path, path: str | None) -> None:
    root = make_repository(tmp_path / "parcel")
    write(root, {"secrets/a.txt": "TIMEOUT=secret\n", "deploy/Credentials.json": "TIMEOUT=secret\n"})
    write(root, {".env": "TIMEOUT=secret\n", "core/blob.bin": "timeout\0timeout\n", "core/x.py": "retryBackoff = 1\n"})
    env = {} if path is None else {"PATH": path}
    answer = await said(root, "search for timeout", **env)
    assert answer.startswith("Timeout is on two lines in two files: retry.py and guide.md.")
    assert "core/retry.py:1: TIMEOUT = 3" in answer
    assert "secret" not in answer
    async with agent_in(root, env=environment(tmp_path, **env)) as agent:
        assert "secret" not in (await ask(agent, "search for timeout")).output
    assert "on one line in docs" in await said(root, "search for timeout in docs", **env)
    assert "retryBackoff = 1" in await said(root, "search for retry back off", **env)
    assert await said(root, "search for unicorn", **env) == "I found unicorn nowhere."
    assert "nowhere" in await said(root, "search for '(timeout['", **env)
    assert await said(root, "search for timeout in atlantis", **env) == (
        "I found nothing called atlantis in this workspace."
    )


async def test_a_pattern_is_no_option(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    assert "nowhere" in await said(root, "search for --pre=touch_this")
    assert not list(root.glob("touch*"))


# ---- files ----------------------------------------------------------------------------------------------------


async def test_a_file_is_shown(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    answer = await said(root, "open the read me")
    assert answer.startswith("README.md is a Markdown file of 3 lines; it begins: Parcel.\n\nREADME.md\n")
    assert "people far away" in answer
    assert "parse" in await said(root, "show me parser dot py")
    assert "Guide" in await said(root, "show docs/guide.md")
    assert (await said(root, "show me the license")).startswith("I found no file called license")


async def test_a_long_file_shows_its_head(tmp_path: Path) -> None:
    write(tmp_path, {"notes.txt": "".join(f"line {n}\n" for n in range(5000))})
    answer = await said(tmp_path, "show notes.txt")
    assert answer.startswith("Notes.txt is a text file of 5000 lines")
    assert "line 199" in answer
    assert "line 200\n" not in answer
    assert len(answer) < 20_000


async def test_odd_files_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"\x00\x01\x02" * 100)
    (tmp_path / "broken.txt").write_bytes(b"x\xe9y \x1b[31mred\x1b[0m \x07\n")
    (tmp_path / "empty.txt").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.txt")
    assert "binary" in await said(tmp_path, "show data.bin")
    assert "empty" in await said(tmp_path, "show empty.txt")
    assert "x\ufffdy red \n" in await said(tmp_path, "show broken.txt") + "\n"
    assert "not an ordinary file" in await said(tmp_path, "show pipe.txt")


async def test_nothing_outside_and_no_secret_is_shown(tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("top secret")
    root = tmp_path / "inside"
    write(root, {".env": "KEY=top secret", "id_rsa": "top secret", "server.pem": "top secret", "a/b.txt": "fine"})
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "linked").symlink_to(tmp_path)
    (root / "notes.txt").symlink_to(root / ".env")
    for name in (
        "../outside.txt",
        "a/../../outside.txt",
        str(tmp_path / "outside.txt"),
        "/etc/passwd",
        "~/.ssh/id_rsa",
        "link.txt",
        "linked/outside.txt",
        ".env",
        "id_rsa",
        "server.pem",
        "notes.txt",
    ):
        answer = await said(root, f"show {name}")
        assert "top secret" not in answer
        assert "root:" not in answer
        assert answer.startswith(("That is outside", "That file may hold secrets", "I found no file")), name
    assert "fine" in await said(root, "show a/b.txt")
    assert "top secret" not in await said(root, "search for secret")


async def test_the_project_is_described(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    answer = await said(root, "what is this project about")
    assert answer.startswith("Parcel is a Python project of four files: Parcel sends letters to people far away.")
    write(root, {"pyproject.toml": '[project]\nname = "postman"\ndescription = "Sends parcels"\n'})
    assert (await said(root, "describe the project")).startswith(
        "Postman is a Python project of five files: Sends parcels."
    )
    assert (await said(root, "list the files")).startswith("There are five files in two folders: core and docs.")
    assert (await said(root, "list the files in docs")).startswith("Docs holds one file: guide.md.")


# ---- the rest -------------------------------------------------------------------------------------------------


async def test_what_is_not_understood_is_said(tmp_path: Path) -> None:
    async with agent_in(tmp_path) as agent:
        heard = await ask(agent, "make me a sandwich")
        assert heard.spoken.startswith('I did not understand "make me a sandwich". You can say')
        assert "I cannot change anything" in (await ask(agent, "delete all files")).spoken
        assert "what changed this week" in (await ask(agent, "what can you do")).spoken
        assert (await ask(agent, "how is it going")).final == "Nothing is running."
        assert (await ask(agent, "stop")).final == "Nothing is running."
        assert "Nothing is running" in (await ask(agent, "faster")).final


async def test_a_delegation_is_taken_out_of_its_envelope(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "parcel")
    text = render_delegation("search for <timeout> & co", "user: hello")
    async with agent_in(root) as agent:
        assert (await ask(agent, text)).final == "I found <timeout> & co nowhere."


async def test_a_folder_that_is_gone_is_told_of(tmp_path: Path) -> None:
    for text in ("run the tests", "git status", "show me the readme"):
        assert await said(tmp_path / "gone", text) == "The folder of this workspace is not there any more."


async def test_one_turn_at_a_time(tmp_path: Path) -> None:
    async with agent_in(make_repository(tmp_path / "parcel")) as agent:
        with pytest.raises(LocalProtocolError):
            await agent.steer("stop")
        await agent.interrupt()
        first = agent.run(TurnRequest(turn_id="one", text="git status"))
        await anext(first)
        with pytest.raises(LocalProtocolError):
            await anext(agent.run(TurnRequest(turn_id="two", text="git status")))
        await first.aclose()
        assert (await ask(agent, "git status")).outcome is Outcome.COMPLETED


async def test_a_closed_agent_takes_no_turn(tmp_path: Path) -> None:
    agent = WorkspaceAgent(cwd=tmp_path, env=environment(tmp_path))
    await agent.close()
    await agent.close()
    with pytest.raises(LocalProtocolError):
        await anext(agent.run(TurnRequest(turn_id="x", text="help")))


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="test_limit_s"):
        WorkspaceOptions(test_limit_s=0.0)
    with pytest.raises(ValueError, match="progress_interval_s"):
        WorkspaceOptions(progress_interval_s=-1.0)
    with pytest.raises(ValueError, match="max_waiting"):
        WorkspaceOptions(max_waiting=-1)
