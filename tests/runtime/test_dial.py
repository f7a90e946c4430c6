from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import ConnectError
from backchannel.runtime import Target, dial
from backchannel.testing import ScriptedServer, ServerOptions

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    import trustme


async def test_the_path_the_model_and_the_key_are_put_together() -> None:
    async with ScriptedServer() as server:
        base = server.url.removesuffix("/v1/realtime")
        socket = await dial(Target(base_url=base, model="gpt-realtime", api_key="sk-planted"))
        await socket.close()
        (handshake,) = server.handshakes
        assert handshake.raw_path == "/v1/realtime?model=gpt-realtime"
        assert handshake.headers["authorization"] == "Bearer sk-planted"


async def test_without_a_key_no_header_is_sent() -> None:
    async with ScriptedServer() as server:
        websocket = await dial(Target(base_url=server.url))
        await websocket.close()
        assert "authorization" not in server.handshakes[0].headers


async def test_tls_trusts_what_the_environment_names(
    authority: trustme.CA, server_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    async with ScriptedServer(options=ServerOptions(tls=server_tls)) as server:
        websocket = await dial(Target(base_url=server.url, env={"SSL_CERT_FILE": str(bundle)}))
        await websocket.close()
        with pytest.raises(ConnectError) as caught:
            await dial(Target(base_url=server.url))
        assert caught.value.stage == "tls"


async def test_a_proxy_of_the_environment_is_used() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Nothing listens there any more, so the connection fails at the proxy.
    with pytest.raises(ConnectError) as caught:
        await dial(Target(base_url="ws://192.0.2.1/v1/realtime", env={"HTTP_PROXY": f"http://127.0.0.1:{port}"}))
    assert caught.value.stage == "proxy"


def test_a_target_shows_neither_key_nor_environment() -> None:
    target = Target(base_url="wss://example.com", api_key="sk-planted", env={"HTTPS_PROXY": "http://me:planted@proxy"})
    assert "planted" not in repr(target)
