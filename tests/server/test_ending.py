"""How the server ends when everything around it is against it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from backchannel.testing import ScriptedResponses, calls
from tests.runtime.stage import until
from tests.server.test_stdio import HELLO, Server

if TYPE_CHECKING:
    from pathlib import Path

STUBBORN = """trap '' TERM INT HUP; echo $$ > pid.new; mv pid.new pid; while true; do sleep 0.1; done"""


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("ends", ["input", "signal"])
async def test_it_ends_within_five_seconds_and_leaves_nothing_behind(tmp_path: Path, ends: str) -> None:
    """The client does not read, a command does not mind being told to stop, and somebody else holds the store.

    What is still asked of the store is waited for by a thread of its own.
    """
    async with ScriptedResponses(calls("exec_command", {"cmd": STUBBORN})) as models:
        options = [
            'model_provider="mock"',
            f'model_providers.mock.base_url="{models.url}"',
            "model_providers.mock.supports_websockets=false",
            'model="mock"',
            'approval_policy="never"',
            'sandbox_mode="danger-full-access"',
        ]
        server = Server(tmp_path, "--agent", "responses", *(part for each in options for part in ("-c", each)))
        try:
            await asyncio.to_thread(server.ask, 0, "initialize", HELLO["params"])
            thread = await asyncio.to_thread(server.ask, 1, "thread/start", {})
            start = {"threadId": thread["result"]["thread"]["id"], "input": [{"type": "text", "text": "go"}]}
            await asyncio.to_thread(server.ask, 2, "turn/start", start)
            await until((tmp_path / "pid").exists, "the command")
            pid = int((tmp_path / "pid").read_text())
            more = [{"id": n, "method": "thread/realtime/listVoices", "params": {}} for n in range(3, 3000)]
            more.append({"id": "last", "method": "thread/archive", "params": {"threadId": start["threadId"]}})
            (store,) = (tmp_path / "state").glob("*.sqlite3")
            with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                lines = [json.dumps(each) + "\n" for each in more]
                await asyncio.to_thread(server.write, "".join(lines).encode())
                began = time.monotonic()
                if ends == "signal":
                    server.process.send_signal(signal.SIGTERM)
                elif server.process.stdin is not None:
                    server.process.stdin.close()
                assert await asyncio.to_thread(server.process.wait, 10) == 0
                assert time.monotonic() - began < 5
            assert not lives(pid)
        finally:
            server.process.kill()
            await asyncio.to_thread(server.process.wait)
            for pipe in (server.process.stdin, server.process.stdout, server.process.stderr):
                if pipe is not None:
                    pipe.close()
