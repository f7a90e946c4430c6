"""SOCKS proxies, with the optional package that the extra `socks` installs."""

from __future__ import annotations

import contextlib
import gc
import ssl
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import ConnectError
from backchannel.net import ConnectOptions, TextFrame, connect, proxy_for
from backchannel.testing import Expect, ScriptedServer, Send, ServerOptions
from tests.net.peers import relay, tcp_server

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    import trustme

HOST = "service.test"


class SocksProxy:
    """A small SOCKS 5 proxy (RFC 1928, 1929): it connects whatever name it is asked for to this machine."""

    def __init__(self, *, credentials: bytes | None = None, reply: int = 0) -> None:
        self.asked: list[bytes] = []
        self._credentials = credentials
        self._reply = reply

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with tcp_server(self._serve) as port:
            yield f"127.0.0.1:{port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, n_methods = await reader.readexactly(2)
        await reader.readexactly(n_methods)
        writer.write(b"\x05\x00" if self._credentials is None else b"\x05\x02")
        if self._credentials is not None:
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            accepted = user + b":" + password == self._credentials
            writer.write(b"\x01\x00" if accepted else b"\x01\x01")
            if not accepted:
                return
        kind = (await reader.readexactly(4))[3]
        length = 4 if kind == 1 else 16 if kind == 4 else (await reader.readexactly(1))[0]
        self.asked.append(await reader.readexactly(length))
        port = int.from_bytes(await reader.readexactly(2), "big")
        writer.write(bytes([5, self._reply, 0, 1]) + bytes(6))
        if self._reply == 0:
            await relay(port, reader, writer)


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("credentials", [None, "user:pa%40ss"])
async def test_through_the_proxy_which_resolves_the_name(
    authority: trustme.CA, client_tls: ssl.SSLContext, credentials: str | None, *, encrypted: bool
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(tls)
    options = ServerOptions(host=HOST, tls=tls if encrypted else None)
    proxy = SocksProxy(credentials=None if credentials is None else b"user:pa@ss")
    async with ScriptedServer([Expect("a"), Send("1")], options=options) as server, proxy.running() as place:
        written = place if credentials is None else f"{credentials}@{place}"
        chosen = proxy_for(server.url, {"all_proxy": f"socks5h://{written}"})
        client = await connect(ConnectOptions(url=server.url, tls=client_tls, proxy=chosen))
        await client.send('{"type":"a"}')
        assert await client.receive() == TextFrame("1")
        await client.close()
        assert (await server.wait_closed()).close_code == 1000
    assert proxy.asked == [HOST.encode()]


async def test_socks5_resolves_the_name_here() -> None:
    proxy = SocksProxy()
    async with ScriptedServer() as server, proxy.running() as place:
        chosen = proxy_for("ws://example.test/", {"http_proxy": f"socks5://{place}"})
        client = await connect(ConnectOptions(url=server.url.replace("127.0.0.1", "localhost"), proxy=chosen))
        await client.close()
    assert proxy.asked[0] in {b"\x7f\x00\x00\x01", bytes(15) + b"\x01"}


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [(SocksProxy(reply=5), "connection refused"), (SocksProxy(credentials=b"user:right"), "authentication fail")],
)
async def test_a_proxy_that_refuses(proxy: SocksProxy, reason: str, client_tls: ssl.SSLContext) -> None:
    url = f"wss://{HOST}/p"
    async with proxy.running() as place:
        chosen = proxy_for(url, {"HTTPS_PROXY": f"socks5h://user:planted-key-h2@{place}"})
        options = ConnectOptions(url=url, tls=client_tls, proxy=chosen)
        with pytest.raises(ConnectError) as caught:
            await connect(options)
    gc.collect()  # a socket left open would warn, which is an error here
    assert caught.value.stage == "proxy"
    assert f"the proxy socks5h://{place} (HTTPS_PROXY) opened no connection" in caught.value.reason
    assert reason in caught.value.reason
    assert "planted-key-h2" not in str(caught.value)


async def test_a_proxy_that_is_not_there_or_keeps_silent() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def failure(place: str) -> ConnectError:
        chosen = proxy_for(f"ws://{HOST}/", {"HTTP_PROXY": f"socks5h://{place}"})
        with pytest.raises(ConnectError) as caught:
            await connect(ConnectOptions(url=f"ws://{HOST}/", proxy=chosen, connect_timeout_s=0.2))
        gc.collect()
        return caught.value

    async with tcp_server(silent) as port:
        place = f"127.0.0.1:{port}"
        error = await failure(place)
    assert error.stage == "proxy"
    assert "opened no tunnel within 0.2 s" in error.reason
    error = await failure(place)
    assert error.stage == "proxy"
    assert "opened no connection" in error.reason
