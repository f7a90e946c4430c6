"""The app server as a client starts it: a process, judged by what it prints and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = (sys.executable, "-m", "backchannel", "app-server", "--agent", "workspace")
HELLO = {
    "id": 0,
    "method": "initialize",
    "params": {"clientInfo": {"name": "x", "version": "1"}, "capabilities": {"experimentalApi": True}},
}


class Server:
    def __init__(self, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "BACKCHANNEL_HOME": str(folder / "state")},
        )
        self.told: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, id_: object, method: str, params: object) -> Any:  # Any: JSON
        self.write(json.dumps({"id": id_, "method": method, "params": params}).encode() + b"\n")
        while (message := self.read()).get("id") != id_:
            self.told.append(message)
        return message

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        message: dict[str, Any] = json.loads(line)
        return message

    def ended(self) -> tuple[int, str]:
        _, err = self.process.communicate(timeout=10)
        return self.process.returncode, err.decode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.kill()
    started.process.communicate()


def test_it_serves_until_its_input_ends(server: Server) -> None:
    assert "result" in server.ask(0, HELLO["method"], HELLO["params"])  # type: ignore[arg-type]
    thread_id = server.ask("a", "thread/start", {})["result"]["thread"]["id"]
    asked = {"threadId": thread_id, "input": [{"type": "text", "text": "what can you do"}]}
    assert server.ask(1, "turn/start", asked)["result"]["turn"]["status"] == "inProgress"
    while not any(message.get("method") == "turn/completed" for message in server.told):
        server.told.append(server.read())
    assert server.ended() == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(server: Server, number: signal.Signals) -> None:
    server.ask(0, HELLO["method"], HELLO["params"])  # type: ignore[arg-type]
    began = time.monotonic()
    server.process.send_signal(number)
    assert server.ended() == (0, "")
    assert time.monotonic() - began < 5


def test_many_messages_in_one_write_and_in_pieces_are_the_same(server: Server) -> None:
    requests = [HELLO, *({"id": n, "method": "thread/loaded/list", "params": {}} for n in range(1, 50))]
    data = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
    server.write(data[:17])
    server.write(data[17:1000])
    server.write(data[1000:] + b"\n \n")
    assert [server.read()["id"] for _ in requests] == list(range(50))


def test_of_ten_thousand_requests_in_one_write_each_has_an_answer(server: Server) -> None:
    server.ask(0, "initialize", HELLO["params"])
    n = 10_000
    lines = [json.dumps({"id": number, "method": "thread/list", "params": {}}) for number in range(1, n + 1)]
    writing = threading.Thread(target=server.write, args=("".join(f"{line}\n" for line in lines).encode(),))
    writing.start()
    answers = [server.read() for _ in range(n)]
    writing.join()
    assert sorted(answer["id"] for answer in answers) == list(range(1, n + 1))
    refused = [answer["error"] for answer in answers if "error" in answer]
    assert {(error["code"], error["message"]) for error in refused} <= {(-32001, "Server overloaded; retry later.")}
    assert len(refused) < n
    assert "result" in server.ask("last", "thread/list", {})


def test_what_cannot_be_read_is_passed_over(server: Server) -> None:
    server.write(b"garbage\n\xff\xfe\n{}\n")
    assert "result" in server.ask(0, HELLO["method"], HELLO["params"])  # type: ignore[arg-type]
    status, err = server.ended()
    assert status == 0
    assert err.count("cannot be read") == 3
    assert "Traceback" not in err


def test_a_huge_message_is_passed_over_and_the_next_is_read(server: Server) -> None:
    server.ask(0, HELLO["method"], HELLO["params"])  # type: ignore[arg-type]
    huge = b'{"id": 1, "method": "thread/list", "params": {"searchTerm": "' + b"x" * (70 * 1024 * 1024) + b'"}}\n'
    server.write(huge)
    assert "result" in server.ask(2, "thread/loaded/list", {})


def test_a_client_that_goes_away_ends_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.ask(0, HELLO["method"], HELLO["params"])  # type: ignore[arg-type]
    assert server.process.stdout is not None
    server.process.stdout.close()
    server.write(json.dumps({"id": 1, "method": "thread/loaded/list", "params": {}}).encode() + b"\n")
    status = server.process.wait(timeout=10)
    assert server.process.stderr is not None
    with server.process.stderr as err:
        assert (status, err.read()) == (0, b"")
    assert server.process.stdin is not None
    server.process.stdin.close()


def test_a_store_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the place of the folder")
    server = Server(tmp_path)
    status, err = server.ended()
    assert status == 1
    assert len(err.splitlines()) == 1
    assert "thread store" in err


def test_it_can_do_without_a_store(tmp_path: Path) -> None:
    server = Server(tmp_path, "-c", "threads.store=false")
    server.ask(0, HELLO["method"], HELLO["params"])  # type: ignore[arg-type]
    assert server.ask(1, "thread/list", {})["result"]["data"] == []
    assert server.ended() == (0, "")
    assert not list(tmp_path.glob("state/*sqlite*"))
