from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from backchannel.config import Config, Context, Realtime
from backchannel.errors import UsageError
from backchannel.net import SystemClock
from backchannel.threads import Spoken, SqliteThreads, Thread, UserAsked, VoiceBegan, VoiceEnded
from backchannel.tui import ContextOptions, show_context

if TYPE_CHECKING:
    from pathlib import Path


async def _shown(
    cwd: Path,
    *,
    store: Path | None = None,
    thread: str | None = None,
    realtime: Realtime | None = None,
    home: Path | None = None,
    explain: bool = False,
    as_json: bool = False,
) -> tuple[str, str]:
    out, remarks = io.StringIO(), io.StringIO()
    options = ContextOptions(
        cwd=cwd,
        config=Config(realtime=realtime or Realtime()),
        store=store,
        thread=thread,
        explain=explain,
        as_json=as_json,
    )
    status = await show_context(
        options, env={"CODEX_HOME": str(cwd / "none")}, home=home, clock=SystemClock(), out=out, remarks=remarks
    )
    assert status == 0
    return out.getvalue(), remarks.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "app"
    (place / "src").mkdir(parents=True)
    (place / "src" / "main.py").write_text("x = 1\n")
    (place / "AGENTS.md").write_text("# Rules\nBe kind.\n")
    return place


async def test_the_text_is_printed_and_its_figures_beside_it(folder: Path) -> None:
    out, remarks = await _shown(folder)
    assert out.startswith("<startup_context>\nStartup context from Backchannel.\n")
    assert out.endswith("\n</startup_context>\n")
    assert "- src/\n  - main.py\n- AGENTS.md\n" in out
    assert "### AGENTS.md\nBe kind.\n" in out
    lines = remarks.splitlines()
    assert lines[1].split() == ["part", "tokens", "ms"]
    assert [line[:24].strip() for line in lines[2:]] == [
        "previous conversation",
        "current thread",
        "open work",
        "repository state",
        "recent work",
        "workspace map",
        "guidance",
        "the whole",
    ]
    assert lines[2].endswith("nothing to tell")
    assert int(lines[-1][24:31]) == sum(len(part.encode()) for part in [out.rstrip("\n")]) // 4 + (
        len(out.rstrip("\n").encode()) % 4 > 0
    )


async def test_each_line_can_say_where_it_comes_from(folder: Path) -> None:
    out, _ = await _shown(folder, explain=True)
    plain, _ = await _shown(folder)
    rows = [line.split(" | ", 1) if " | " in line else [line.removesuffix(" |"), ""] for line in out.splitlines()]
    assert "\n".join(row[1] for row in rows) + "\n" == plain
    origins = {row[1]: row[0].strip() for row in rows}
    assert origins["Be kind."] == "AGENTS.md"
    assert origins["## Notes"] == "our own words"
    tree = origins["  - main.py"]
    assert tree.startswith("a look into ")
    assert len(tree) <= 48


async def test_as_json_it_is_one_object(folder: Path) -> None:
    out, remarks = await _shown(folder, as_json=True, explain=True)
    plain, _ = await _shown(folder)
    assert remarks == ""
    shown: dict[str, Any] = json.loads(out)
    assert shown["text"] + "\n" == plain
    assert [part["name"] for part in shown["parts"]][-1] == "guidance"
    assert {part["standing"] for part in shown["parts"]} == {"told", "empty"}
    assert "\n".join(line["text"] for line in shown["lines"]) == shown["text"]
    assert shown["took_ms"] > 0
    assert "lines" not in json.loads((await _shown(folder, as_json=True))[0])


async def test_where_there_is_nothing_that_is_said(tmp_path: Path) -> None:
    out, remarks = await _shown(tmp_path)
    assert out == ""
    assert remarks.splitlines()[-1].startswith("there is nothing to tell: ")


async def test_a_text_of_the_configuration_stands_in_for_it(folder: Path) -> None:
    realtime = Realtime(startup_context="It rained.\nA lot.")
    out, remarks = await _shown(folder, realtime=realtime)
    assert out == "It rained.\nA lot.\n"
    assert "realtime.startup_context in the configuration" in remarks
    shown = json.loads((await _shown(folder, realtime=realtime, as_json=True, explain=True))[0])
    assert (shown["text"], shown["tokens"]) == ("It rained.\nA lot.", 5)
    assert shown["lines"][1] == {"text": "A lot.", "origin": "realtime.startup_context in the configuration"}


async def test_parts_that_are_off_are_shown_as_such(folder: Path) -> None:
    realtime = Realtime(context=Context(guidance=False, deadline_ms=0))
    out, remarks = await _shown(folder, realtime=realtime)
    assert "AGENTS.md\nBe kind" not in out
    (guidance,) = [line for line in remarks.splitlines() if line.startswith("guidance ")]
    assert guidance.endswith("switched off")


async def test_it_can_be_that_of_a_session_that_goes_on(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "threads.sqlite"
    with pytest.raises(UsageError, match="nothing is kept"):
        await _shown(folder, store=path, thread="last")
    store = SqliteThreads(path)
    store.create(Thread(thread_id="a", cwd=str(folder), created_at_ms=1, updated_at_ms=1))
    said = Spoken(at_ms=3, speaker="user", text="fix the login")
    store.append(
        "a", [VoiceBegan(at_ms=2), said, UserAsked(at_ms=3, text="fix it", by_voice=True), VoiceEnded(at_ms=4)]
    )
    store.close()
    out, _ = await _shown(folder, store=path, thread="last")
    assert "User: fix the login" in out
    assert "### Latest turn\nUser:\nfix it" in out
    out, _ = await _shown(folder, store=path)
    assert "fix the login" not in out
    assert f"- {folder}: fix it" in out
    with pytest.raises(UsageError, match="expected the id of a thread"):
        await _shown(folder, store=path, thread="b")


async def test_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a folder, got '.*/none'; choose one with --cwd"):
        await _shown(tmp_path / "none")
