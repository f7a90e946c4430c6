"""The sandbox: tried before it is trusted, and what it keeps where one works."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from backchannel.agents.responses.sandbox import Sandbox, find_sandbox
from tests.agents.projects import environment, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "a.txt").write_text("one\n", encoding="utf-8")
    return root


def stand_in(folder: Path, script: str) -> dict[str, str]:
    """An environment in which `bwrap` is a script."""
    folder.mkdir()
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return environment(folder) | {"PATH": f"{folder}:/usr/bin:/bin"}


async def run(sandbox: Sandbox, shell: str, *, cwd: Path) -> tuple[int, str]:
    argv = sandbox.wrap(("sh", "-c", shell), cwd=cwd)
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_what_is_not_there_is_not_used(root: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert await find_sandbox(root, writable=True, env={"PATH": str(empty)}) is None


@pytest.mark.parametrize("script", ["exit 1", "echo 'no permissions to create a new namespace' >&2; exit 1", "kill $$"])
async def test_what_is_there_and_does_not_work_is_not_used(root: Path, tmp_path: Path, script: str) -> None:
    assert await find_sandbox(root, writable=True, env=stand_in(tmp_path / "bin", script)) is None


async def test_what_cannot_be_started_is_not_used(root: Path, tmp_path: Path) -> None:
    env = stand_in(tmp_path / "bin", "")
    (tmp_path / "bin" / "bwrap").write_bytes(b"\x7fELF nothing")
    assert await find_sandbox(root, writable=True, env=env) is None


async def test_it_is_tried_with_what_will_be_asked_of_it(root: Path, tmp_path: Path) -> None:
    tried = tmp_path / "tried"

    sandbox = await find_sandbox(root, writable=True, env=stand_in(tmp_path / "bin", f'echo "$@" > {tried}'))

    assert sandbox is not None
    assert " ".join(sandbox.wrap(("true",), cwd=root)[1:]) == tried.read_text(encoding="utf-8").strip()


def test_what_is_writable_and_what_is_not(root: Path) -> None:
    writing = Sandbox(program="bwrap", root=root, writable=True).wrap(("make",), cwd=root / "src")
    reading = Sandbox(program="bwrap", root=root, writable=False).wrap(("make",), cwd=root)

    for wrapped in (writing, reading):
        assert "--unshare-net" in wrapped
        assert wrapped.index("--tmpfs") < wrapped.index(str(root))
    assert f"--bind {root} {root} --ro-bind {root}/.git {root}/.git --setenv TMPDIR /tmp" in " ".join(writing)
    assert writing[-4:] == ("--chdir", f"{root}/src", "--", "make")
    assert f"--tmpfs /tmp --ro-bind {root} {root} --setenv" in " ".join(reading)
    assert "--bind" not in reading


async def test_the_places_of_keys_are_hidden(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    state = tmp_path / "state"
    for name in (".ssh/id_rsa", ".netrc", ".codex/auth.json", ".codex/config.toml", ".profile"):
        write(home, {name: "planted\n"})
    write(state, {"credentials.json": "planted\n"})
    env = stand_in(tmp_path / "bin", "exit 0") | {"HOME": str(home), "BACKCHANNEL_HOME": str(state)}

    sandbox = await find_sandbox(root, writable=True, env=env)

    assert sandbox is not None
    hidden = (home / ".ssh", home / ".netrc", home / ".codex/auth.json", state / "credentials.json")
    assert sandbox.hidden == hidden
    assert f"--tmpfs {home}/.ssh --ro-bind /dev/null {home}/.netrc" in " ".join(sandbox.wrap(("true",), cwd=root))

    inside = await find_sandbox(home / ".ssh", writable=True, env=env)
    assert inside is not None
    assert inside.hidden == hidden[1:]

    real = await find_sandbox(root, writable=True, env={**environment(home), "BACKCHANNEL_HOME": str(state)})
    if real is not None:
        for path in hidden:
            assert "planted" not in (await run(real, f"cat {path} {path}/*", cwd=root))[1]


async def test_commands_stay_where_they_belong_where_a_sandbox_works(root: Path, tmp_path: Path) -> None:
    env = environment(tmp_path)
    writing = await find_sandbox(root, writable=True, env=env)
    reading = await find_sandbox(root, writable=False, env=env)
    if writing is None or reading is None:
        # Nothing to try here; that the agent then asks is tested with it.
        assert writing is reading is None
        return
    outside = tmp_path / "outside.txt"
    outside.write_text("mine\n", encoding="utf-8")

    assert await run(writing, "echo two >> a.txt && cat a.txt", cwd=root) == (0, "one\ntwo\n")
    for sandbox in (writing, reading):
        status, _ = await run(sandbox, f"echo yours > {outside}", cwd=root)
        assert status != 0 or outside.read_text(encoding="utf-8") == "mine\n"
        assert (await run(sandbox, "echo x > .git/config", cwd=root))[0] != 0
        assert (await run(sandbox, "echo x > /tmp/x && cat /tmp/x", cwd=root)) == (0, "x\n")
    assert (await run(reading, "echo three >> a.txt", cwd=root))[0] != 0
    assert (root / "a.txt").read_text(encoding="utf-8") == "one\ntwo\n"
    assert outside.read_text(encoding="utf-8") == "mine\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
        assert (await run(writing, f'python3 -c "{connect}"', cwd=root))[0] != 0
