from __future__ import annotations

import base64
import contextlib
import gc
import socket
import ssl
import subprocess
import sys
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

# Names that only the proxy can resolve, so that a connection past it fails.
HOST = "service.test"


class ConnectProxy:
    """A small CONNECT proxy: it tunnels whatever name it is asked for to this machine."""

    def __init__(self, *, credentials: str | None = None, answer: bytes | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._credentials = credentials
        self._answer = answer

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """The proxy's `host:port` while it runs."""
        async with tcp_server(self._serve) as port:
            yield f"127.0.0.1:{port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.requests.append((request, headers))
        wanted = self._credentials and "Basic " + base64.b64encode(self._credentials.encode()).decode()
        if self._answer is not None:
            writer.write(self._answer)
        elif headers.get("proxy-authorization") != wanted:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\nVia: a test\r\n\r\n")
            await relay(int(request.split()[1].rpartition(":")[2]), reader, writer)


async def talk_through(env: dict[str, str], server: ScriptedServer, tls: ssl.SSLContext | None) -> None:
    client = await connect(ConnectOptions(url=server.url, tls=tls, proxy=proxy_for(server.url, env)))
    await client.send('{"type":"a"}')
    assert await client.receive() == TextFrame("1")
    await client.close()
    assert (await server.wait_closed()).close_code == 1000


async def failure(env: dict[str, str], url: str = f"ws://{HOST}:81/p", timeout_s: float = 10.0) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        await connect(ConnectOptions(url=url, proxy=proxy_for(url, env), connect_timeout_s=timeout_s))
    gc.collect()  # a socket left open would warn, which is an error here
    assert "planted-key-h2" not in str(caught.value)
    assert caught.value.stage == "proxy"
    return caught.value


@pytest.fixture
def service_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


@pytest.mark.parametrize("credentials", [None, "us@er:pä:ss/w"])
async def test_ws_is_tunnelled(credentials: str | None) -> None:
    proxy = ConnectProxy(credentials=credentials)
    written = "" if credentials is None else "us%40er:p%C3%A4%3Ass%2Fw@"
    async with ScriptedServer([Expect("a"), Send("1")], options=ServerOptions(host=HOST)) as server:
        async with proxy.running() as place:
            await talk_through({"HTTP_PROXY": f"http://{written}{place}"}, server, None)
        assert proxy.requests[0][0] == f"CONNECT {HOST}:{server.port} HTTP/1.1"
        assert proxy.requests[0][1]["host"] == f"{HOST}:{server.port}"
        # The proxy's password is not the server's business.
        assert "proxy-authorization" not in server.handshakes[0].headers


async def test_wss_is_tunnelled_and_verified_end_to_end(
    service_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    proxy = ConnectProxy()
    options = ServerOptions(host=HOST, tls=service_tls)
    async with ScriptedServer([Expect("a"), Send("1")], options=options) as server, proxy.running() as place:
        await talk_through({"ALL_PROXY": place}, server, client_tls)
        url = server.url.replace(HOST, "other.test")
        with pytest.raises(ConnectError, match=r"is not valid for 'other\.test'") as caught:
            await connect(ConnectOptions(url=url, tls=client_tls, proxy=proxy_for(url, {"ALL_PROXY": place})))
        assert caught.value.stage == "tls"
    assert len(proxy.requests) == 2


async def test_a_proxy_that_wants_other_credentials() -> None:
    async with ConnectProxy(credentials="user:right").running() as place:
        error = await failure({"HTTP_PROXY": f"http://user:planted-key-h2@{place}"})
    assert error.status == 407
    assert f"the proxy http://{place} (HTTP_PROXY) refused with 407 Proxy Authentication Required" in error.reason
    assert "put a user name and a password into HTTP_PROXY" in error.remedy
    assert error.target == f"ws://{HOST}:81/p"


@pytest.mark.parametrize(
    ("answer", "reason", "remedy"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refused with 403 Forbidden", f"add {HOST} to NO_PROXY"),
        (b"HTTP/1.0 502\r\nX: y\r\n\r\n", "refused with 502", "can be reached from the proxy"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\nhello",
            "refused with 302 Found",
            f"{HOST}:81 is right",
        ),
        (b"SSH-2.0-dropbear\r\n\r\n", "did not answer as an HTTP proxy", "names an HTTP proxy"),
        (b"HTTP/1.1 abc\r\n\r\n", "did not answer as an HTTP proxy", "names an HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\n", "it hung up", "names an HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurprise", "it sent data before", "names an HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 80_000, "longer than 65536 bytes", "names an HTTP proxy"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel(answer: bytes, reason: str, remedy: str) -> None:
    async with ConnectProxy(answer=answer).running() as place:
        error = await failure({"http_proxy": place})
    assert reason in error.reason
    assert remedy in error.remedy


async def test_a_proxy_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    error = await failure({"HTTP_PROXY": f"http://u:planted-key-h2@127.0.0.1:{port}"})
    assert f"the proxy http://127.0.0.1:{port} (HTTP_PROXY) cannot be reached: connection refused" in error.reason
    assert f"check HTTP_PROXY, or add {HOST} to NO_PROXY" in error.remedy
    error = await failure({"HTTP_PROXY": "http://a..b:1"})
    assert "its name is not valid" in error.reason


async def test_a_proxy_that_keeps_silent() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(silent) as port:
        place = f"127.0.0.1:{port}"
        error = await failure({"HTTP_PROXY": place}, timeout_s=0.2)
    assert f"the proxy http://{place} (HTTP_PROXY) opened no tunnel within 0.2 s" in error.reason


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_without_the_optional_package(scheme: str) -> None:
    code = f"""
import asyncio, sys
sys.modules["python_socks"] = None
from backchannel.errors import MissingComponentError
from backchannel.net import ConnectOptions, connect, proxy_for
url = "ws://{HOST}/"
try:
    asyncio.run(connect(ConnectOptions(url=url, proxy=proxy_for(url, {{"ALL_PROXY": "{scheme}://u:planted-key-h2@p:1"}}))))
except MissingComponentError as exc:
    print(exc)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"ALL_PROXY names a SOCKS proxy ({scheme}://p:1), which needs an optional package; install it with "
        "`pip install 'backchannel[socks]'`, or let the variable name an http:// proxy\n"
    )
