from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import jwt
import pytest

from backchannel.errors import UsageError
from backchannel.server import Address, Admission, CapabilityToken, SignedBearerTokens, read_address
from backchannel.server.listening import listening
from tests.runtime.stage import until
from tests.server.stage import House, house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HELLO = {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "x", "version": "1"}}}
TOKEN = CapabilityToken(hashlib.sha256(b"planted-key-ws").hexdigest())
SECRET = "planted-key-ws-with-enough-bytes"
SIGNED = SignedBearerTokens(secret=SECRET.encode())
STATE = Path("/state")


@contextlib.asynccontextmanager
async def at_port(folder: Path, *, admission: Admission | None = None) -> AsyncIterator[tuple[House, str]]:
    """A server on a port; its address without the scheme."""
    told: list[str] = []
    async with house(folder) as staged:
        address = Address(host="127.0.0.1", port=0)
        async with listening(staged.app, staged.dispatcher, address, admission=admission, tell=told.append):
            assert told[0].startswith("listening on: ws://127.0.0.1:")
            yield staged, told[0].removeprefix("listening on: ws://")


async def test_each_message_is_a_text_frame(tmp_path: Path) -> None:
    async with (
        at_port(tmp_path) as (_, place),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://{place}/any/path") as ws,
    ):
        await ws.send_str("garbage")
        await ws.send_bytes(b"binary")
        await ws.send_json(HELLO)
        assert (await ws.receive_json(timeout=5))["id"] == 1
        await ws.send_json({"id": "a", "method": "thread/start", "params": {}})
        answer: dict[str, Any] = await ws.receive_json(timeout=5)
        assert answer["id"] == "a"
        assert (await ws.receive_json(timeout=5))["method"] == "thread/started"


async def test_clients_share_the_threads(tmp_path: Path) -> None:
    async with at_port(tmp_path) as (staged, place), aiohttp.ClientSession() as session:
        async with session.ws_connect(f"ws://{place}") as one, session.ws_connect(f"ws://{place}") as other:
            for ws in (one, other):
                await ws.send_json(HELLO)
                await ws.receive_json(timeout=5)
            await one.send_json({"id": 2, "method": "thread/start", "params": {}})
            await one.receive_json(timeout=5)
            await other.send_json({"id": 3, "method": "thread/loaded/list", "params": {}})
            assert len((await other.receive_json(timeout=5))["result"]["data"]) == 1
        await until(lambda: staged.app.peers == set(), "that the clients have left")


async def test_it_says_that_it_is_there(tmp_path: Path) -> None:
    async with at_port(tmp_path, admission=TOKEN) as (_, place), aiohttp.ClientSession() as session:
        for path in ("readyz", "healthz"):
            async with session.get(f"http://{place}/{path}") as response:
                assert response.status == 200
        async with session.get(f"http://{place}/other") as response:
            assert response.status == 400


async def test_web_pages_are_refused(tmp_path: Path) -> None:
    async with at_port(tmp_path) as (_, place), aiohttp.ClientSession() as session:
        for path in ("", "/readyz"):
            async with session.get(f"http://{place}{path}", headers={"Origin": "http://example.com"}) as response:
                assert response.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"ws://{place}", headers={"Origin": "null"})
        assert caught.value.status == 403


@pytest.mark.parametrize("sent", [None, "Bearer nonsense", "Basic planted-key-ws", "planted-key-ws", "Bearer"])
async def test_without_the_token_nobody_gets_in(tmp_path: Path, sent: str | None) -> None:
    headers = {} if sent is None else {"Authorization": sent}
    async with at_port(tmp_path, admission=TOKEN) as (staged, place), aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"ws://{place}", headers=headers)
        assert caught.value.status == 401
        assert caught.value.headers is not None
        assert caught.value.headers["WWW-Authenticate"] == "Bearer"
        assert staged.app.peers == set()


async def test_with_the_token_one_gets_in(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer planted-key-ws"}
    async with (
        at_port(tmp_path, admission=TOKEN) as (_, place),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://{place}", headers=headers) as ws,
    ):
        await ws.send_json(HELLO)
        assert "result" in await ws.receive_json(timeout=5)


async def test_with_a_signed_token_one_gets_in_until_it_expires(tmp_path: Path) -> None:
    async with at_port(tmp_path, admission=SIGNED) as (staged, place), aiohttp.ClientSession() as session:
        for in_s, secret, said in (
            (60, SECRET, None),
            (-60, SECRET, "this token has expired"),
            (60, "x" * 32, "with the secret of this server"),
        ):
            headers = {"Authorization": f"Bearer {jwt.encode({'exp': time.time() + in_s}, secret, 'HS256')}"}
            if said is None:
                async with session.ws_connect(f"ws://{place}", headers=headers) as ws:
                    await ws.send_json(HELLO)
                    assert "result" in await ws.receive_json(timeout=5)
                await until(lambda: staged.app.peers == set(), "that the client has left")
                continue
            upgrade = {**headers, "Upgrade": "websocket"}
            async with session.get(f"http://{place}", headers=upgrade) as response:
                assert response.status == 401
                assert said in await response.text()
        assert staged.app.peers == set()


@pytest.mark.parametrize("sent", [b"Bearer \xff\xfe", b"Bearer " + b"W1tb" * 1500 + b"..", b"Bearer " + b"." * 4000])
async def test_a_header_of_nonsense_is_refused_as_any_other(tmp_path: Path, sent: bytes) -> None:
    async with at_port(tmp_path, admission=SIGNED) as (_, place):
        host, _, port = place.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nAuthorization: " + sent + b"\r\n\r\n")
        assert b" 401 " in await reader.readline()
        writer.close()


async def test_the_socket_of_a_path_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with house(tmp_path) as staged:
        address = read_address(f"unix://{path}", admission=None, state_folder=STATE)
        async with listening(staged.app, staged.dispatcher, address, admission=None, tell=lambda _: None):
            mode = await asyncio.to_thread(lambda: path.stat().st_mode)
            assert stat.S_IMODE(mode) & 0o077 == 0
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(json.dumps(HELLO).encode() + b"\n")
            assert json.loads(await reader.readline())["id"] == 1
            writer.close()
            await until(lambda: staged.app.peers == set(), "that the client has left")
            _, second = await asyncio.open_unix_connection(str(path))
            await until(lambda: len(staged.app.peers) == 1, "the second client")
            second.close()
            with pytest.raises(UsageError, match="another server listens there"):
                async with listening(staged.app, staged.dispatcher, address, admission=None, tell=lambda _: None):
                    pass
    assert not path.exists()


async def test_clients_who_stay_to_the_end_are_no_fault(tmp_path: Path) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    address = Address(path=str(tmp_path / "s"))
    async with house(tmp_path) as staged:
        async with listening(staged.app, staged.dispatcher, address, admission=None, tell=lambda _: None):
            reader, writer = await asyncio.open_unix_connection(address.path)
            await until(lambda: len(staged.app.peers) == 1, "the client")
        assert await reader.read() == b""
        assert staged.app.peers == set()
        writer.close()
    assert faults == []


async def test_what_a_killed_server_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with house(tmp_path) as staged:
        address = Address(path=str(path))
        async with listening(staged.app, staged.dispatcher, address, admission=None, tell=lambda _: None):
            _, writer = await asyncio.open_unix_connection(str(path))
            await until(lambda: len(staged.app.peers) == 1, "the client")
            writer.close()


async def test_where_nobody_can_listen_that_is_said(tmp_path: Path) -> None:
    async with at_port(tmp_path) as (staged, place):
        taken = Address(host="127.0.0.1", port=int(place.rpartition(":")[2]))
        for address in (taken, Address(path=str(tmp_path / "none" / "s"))):
            with pytest.raises(UsageError, match=r"cannot listen on .*; choose another address"):
                async with listening(staged.app, staged.dispatcher, address, admission=None, tell=lambda _: None):
                    pass


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("stdio://", Address()),
        ("ws://127.0.0.1:4500", Address(host="127.0.0.1", port=4500)),
        ("ws://[::1]:4500/", Address(host="::1", port=4500)),
        ("ws://localhost:0", Address(host="localhost", port=0)),
        ("unix:///run/x.sock", Address(path="/run/x.sock")),
        ("unix://x.sock", Address(path="x.sock")),
        ("unix://", Address(path="/state/app-server.sock", is_folder_ours=True)),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    assert read_address(text, admission=None, state_folder=STATE) == address
    assert address.is_stdio is (text == "stdio://")


@pytest.mark.parametrize(
    "text", ["", "ws://", "ws://127.0.0.1", "ws://127.0.0.1:x", "ws://[::1", "http://127.0.0.1:1", "unix:", "unix:/x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected stdio://, ws://IP:PORT, unix://PATH or unix://, got"):
        read_address(text, admission=None, state_folder=STATE)


@pytest.mark.parametrize("text", ["ws://0.0.0.0:4500", "ws://192.0.2.1:4500", "ws://[::]:4500", "ws://example.com:1"])
def test_beyond_this_machine_a_token_is_needed(text: str) -> None:
    with pytest.raises(UsageError, match="expected a token for clients on other machines"):
        read_address(text, admission=None, state_folder=STATE)
    assert not read_address(text, admission=TOKEN, state_folder=STATE).is_stdio


@pytest.mark.parametrize("text", ["stdio://", "unix://", "unix:///run/x.sock"])
def test_where_nobody_asks_for_a_token_none_is_to_be_given(text: str) -> None:
    with pytest.raises(UsageError, match=f"tokens are asked for on a websocket, .* and not on {text}"):
        read_address(text, admission=SIGNED, state_folder=STATE)


async def test_the_folder_of_our_state_is_made_for_its_socket(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    address = read_address("unix://", admission=None, state_folder=folder)
    async with house(tmp_path) as staged:
        for _ in range(2):
            async with listening(staged.app, staged.dispatcher, address, admission=None, tell=lambda _: None):
                mode = await asyncio.to_thread(lambda: folder.stat().st_mode)
                assert stat.S_IMODE(mode) == 0o700
                _, writer = await asyncio.open_unix_connection(str(folder / "app-server.sock"))
                await until(lambda: len(staged.app.peers) == 1, "the client")
                writer.close()
                await until(lambda: staged.app.peers == set(), "that the client has left")
