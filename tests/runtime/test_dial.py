from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import ConnectError, UsageError
from backchannel.runtime import Target, dial
from backchannel.testing import ScriptedServer, ServerOptions
from backchannel.wire.realtime import DIALECTS
from tests.planted import API_KEY, PASSWORD, TOKEN, planted_in

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    import trustme


async def test_the_path_the_model_and_the_key_are_put_together() -> None:
    async with ScriptedServer() as server:
        base = server.url.removesuffix("/v1/realtime")
        socket = await dial(Target(base_url=base, model="gpt-realtime", api_key=API_KEY))
        await socket.close()
        (handshake,) = server.handshakes
        assert handshake.raw_path == "/v1/realtime?model=gpt-realtime"
        assert handshake.headers["authorization"] == f"Bearer {API_KEY}"


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
    target = Target(base_url="wss://example.com", api_key=API_KEY, env={"HTTPS_PROXY": f"http://me:{PASSWORD}@proxy"})
    assert planted_in(repr(target)) == []
    other = Target(base_url=f"wss://me:{PASSWORD}@example.com", headers={"api-key": TOKEN})
    assert planted_in(repr(other)) == []


@pytest.mark.parametrize("name", ["v1", "v2", "v3", "live"])
async def test_the_headers_and_the_query_of_a_dialect(name: str) -> None:
    endpoint = DIALECTS[name].endpoint
    async with ScriptedServer() as server:
        target = Target(
            base_url=f"ws://127.0.0.1:{server.port}?foo=bar",
            model="gpt-target",
            api_key=API_KEY,
            headers={"api-key": TOKEN, "AUTHORIZATION": "Bearer theirs", "X-Session-Id": "theirs", "x-more": "a"},
            params=(("intent", "no"), ("trace", "1")),
        )
        for model in ("gpt-session", None):
            websocket = await dial(target, endpoint=endpoint, model=model, session_id="session-1")
            await websocket.close()
        first, second = server.handshakes
        assert first.headers["authorization"] == f"Bearer {API_KEY}"
        assert first.headers["x-session-id"] == "session-1"
        assert (first.headers["api-key"], first.headers["x-more"]) == (TOKEN, "a")
        assert first.headers.get("openai-alpha") == endpoint.alpha
        asked, later = dict(first.query), dict(second.query)
        assert (asked["foo"], asked["trace"], asked.get("intent")) == ("bar", "1", endpoint.intent)
        assert asked.get("model") == ("gpt-session" if endpoint.model_in_query else None)
        assert later.get("model") == ("gpt-target" if endpoint.model_in_query else None)


async def test_a_session_id_that_no_header_can_hold() -> None:
    with pytest.raises(UsageError, match="'x-session-id' cannot be sent") as caught:
        await dial(Target(base_url="ws://127.0.0.1:1"), session_id=f"a\r\n{TOKEN}: 1")
    assert planted_in(str(caught.value)) == []


async def test_a_client_that_cannot_be_built_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = tmp_path / "empty.pem"
    bundle.touch()
    with pytest.raises(UsageError, match="it is empty"):
        await dial(Target(base_url="wss://127.0.0.1:1", env={"CODEX_CA_CERTIFICATE": str(bundle)}))
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "! no client for the realtime websocket can be built"
    ]
    assert "CODEX_CA_CERTIFICATE" in caplog.text
