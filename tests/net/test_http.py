from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from backchannel.errors import AuthError, ConnectError, LocalProtocolError, UsageError
from backchannel.net import PostOptions, Response, backoff_s, post, proxy_for
from backchannel.testing import AcceptAfter, AnswerOffer, Drop, Refuse, ScriptedServer, ServerOptions
from tests.net.peers import deaf_port, tcp_server
from tests.net.test_tunnel import HOST, ConnectProxy
from tests.planted import ANSWER_SDP, PASSWORD, TOKEN, planted_in

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    import trustme


def asking(server: ScriptedServer, *, retry_delays_s: tuple[float, ...] = (), timeout_s: float = 5.0) -> PostOptions:
    return PostOptions(
        url=server.url.replace("ws", "http", 1) + "?a=%2F&b=c+d",
        body=b"v=0\r\n",
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/sdp"},
        retry_delays_s=retry_delays_s,
        timeout_s=timeout_s,
    )


async def failure(options: PostOptions) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        await post(options)
    assert planted_in(str(caught.value)) == []
    assert planted_in(repr(caught.value)) == []
    assert caught.value.__cause__ is None or planted_in(repr(caught.value.__cause__.__dict__)) == []
    return caught.value


def refusal(message: object, status: int = 400) -> list[Refuse]:
    return [Refuse(status=status, body=json.dumps({"error": {"message": message}}))]


async def test_what_is_sent_and_what_comes_back() -> None:
    async with ScriptedServer([AnswerOffer(sdp="v=0\r\nanswer", location="/a/rtc_1?x")]) as server:
        answer = await post(asking(server))
        (handshake,) = server.handshakes
    assert (answer.status, answer.body, answer.headers["location"]) == (201, b"v=0\r\nanswer", "/a/rtc_1?x")
    assert handshake.method == "POST"
    assert handshake.raw_path == "/v1/realtime?a=%2F&b=c+d"
    assert handshake.body == b"v=0\r\n"
    assert handshake.headers["authorization"] == f"Bearer {TOKEN}"
    assert handshake.headers["content-type"] == "application/sdp"
    assert handshake.headers["accept-encoding"] == "identity"
    assert handshake.headers["user-agent"].startswith("backchannel/")
    shown = Response(status=200, headers={"set-cookie": TOKEN}, body=ANSWER_SDP.encode())
    assert planted_in(repr(answer) + repr(asking(server)) + repr(shown)) == []


async def test_credentials_of_the_address_are_sent_as_a_header_only() -> None:
    async with ScriptedServer([AnswerOffer(sdp="")]) as server:
        url = f"http://me:{PASSWORD}@127.0.0.1:{server.port}/v1/realtime/calls"
        await post(PostOptions(url=url, body=b""))
        assert server.handshakes[0].headers["authorization"].startswith("Basic ")
        assert planted_in(repr(PostOptions(url=url, body=b""))) == []


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (302, ConnectError, "points elsewhere"),
        (400, ConnectError, "what was asked for"),
        (401, AuthError, "BACKCHANNEL_API_KEY"),
        (403, AuthError, "the key may use"),
        (404, ConnectError, "the path"),
        (429, ConnectError, "wait a moment"),
        (500, ConnectError, "on its side"),
        (599, ConnectError, "on its side"),
    ],
)
async def test_a_refusal_keeps_status_words_and_remedy(status: int, kind: type[ConnectError], remedy: str) -> None:
    where = {"Location": "http://127.0.0.1:1/elsewhere"} if status == 302 else {}
    body = json.dumps({"error": {"message": "Not\nlike this."}})
    async with ScriptedServer([Refuse(status=status, body=body, headers=where)]) as server:
        error = await failure(asking(server))
        assert len(server.handshakes) == 1
    assert type(error) is kind
    assert (error.stage, error.status) == ("request", status)
    assert error.reason.startswith(f"the server answered {status}")
    assert error.reason.endswith(": Not like this")
    assert remedy in error.remedy
    assert "?" not in error.target


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("x" * 300, "x" * 300),
        ("x" * 301, ""),
        (f"bad key {TOKEN}.", "bad key [left out]"),
        ("Incorrect API key provided: sk-proj-abc***xyz. Find it", "Incorrect API key provided: [left out] Find it"),
        ("\x1b[31mred", "[31mred"),
        ("", ""),
        (5, ""),
        (None, ""),
    ],
)
async def test_of_the_servers_words_only_short_ones_without_secrets_are_kept(message: object, shown: str) -> None:
    async with ScriptedServer(refusal(message)) as server:
        error = await failure(asking(server))
    assert error.reason == "the server answered 400 Bad Request" + (f": {shown}" if shown else "")


@pytest.mark.parametrize("body", ["", "<html>planted</html>", "[" * 5000, '{"error": "planted"}', "planted" * 20_000])
async def test_other_refusals_are_shown_by_their_status(body: str) -> None:
    async with ScriptedServer([Refuse(status=400, body=body)]) as server:
        error = await failure(asking(server))
    assert error.reason == "the server answered 400 Bad Request"


async def test_what_may_pass_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    scripts = ([Refuse(status=503)], [Drop(before_handshake=True)], refusal("slowly", 429), [AnswerOffer(sdp="v=0")])
    with caplog.at_level(logging.DEBUG):
        async with ScriptedServer(*scripts) as server:
            began = time.monotonic()
            answer = await post(asking(server, retry_delays_s=(0.01, 0.02, 0.03)))
            assert time.monotonic() - began >= 0.06
            assert len(server.handshakes) == 4
            assert [handshake.body for handshake in server.handshakes] == [b"v=0\r\n"] * 4
    assert answer.body == b"v=0"
    assert [record.message.partition(":")[0] for record in caplog.records if record.levelno == logging.WARNING] == [
        f"! try {n} of 4" for n in (1, 2, 3)
    ]
    assert planted_in(caplog.text) == []


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (401, 1), (403, 1), (404, 1), (500, 3), (429, 3)])
async def test_what_stays_is_not_tried_again_and_what_may_pass_not_for_ever(status: int, tries: int) -> None:
    async with ScriptedServer(*([Refuse(status=status)] for _ in range(5))) as server:
        error = await failure(asking(server, retry_delays_s=(0.0, 0.0)))
        assert len(server.handshakes) == tries
    assert error.status == status


async def test_the_time_is_for_all_tries_together() -> None:
    async with ScriptedServer([Refuse(status=500)], [AcceptAfter(delay_s=60), AnswerOffer(sdp="")]) as server:
        error = await failure(asking(server, retry_delays_s=(0.05, 0.05), timeout_s=0.4))
    assert error.stage == "request"
    assert error.reason == "the server did not answer within 0.4 s"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep more connections waiting than they are told")
async def test_a_port_where_nobody_answers_has_a_stage_of_its_own() -> None:
    async with deaf_port() as port:
        error = await failure(PostOptions(url=f"http://127.0.0.1:{port}/", body=b"", timeout_s=0.2))
    assert error.stage == "connect"
    assert error.reason == "nothing answered within 0.2 s"


async def test_a_server_that_does_not_speak_tls_in_time(client_tls: ssl.SSLContext) -> None:
    async def keep_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(keep_silent) as port:
        error = await failure(PostOptions(url=f"https://127.0.0.1:{port}/", body=b"", tls=client_tls, timeout_s=0.2))
    assert error.stage == "tls"
    assert error.reason == "TLS was not negotiated within 0.2 s"


async def test_a_proxy_that_keeps_silent() -> None:
    async def keep_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(keep_silent) as port:
        proxy = proxy_for("http://service.test/", {"HTTP_PROXY": f"http://127.0.0.1:{port}"})
        error = await failure(PostOptions(url="http://service.test/", body=b"", proxy=proxy, timeout_s=0.2))
    assert error.stage == "proxy"
    assert f"127.0.0.1:{port} (HTTP_PROXY) opened no tunnel within 0.2 s" in error.reason


async def test_a_cancelled_request_leaves_nothing() -> None:
    async with ScriptedServer([AcceptAfter(delay_s=60), AnswerOffer(sdp="")]) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await post(asking(server, timeout_s=30))


async def test_an_answer_that_is_too_long() -> None:
    async with ScriptedServer([AnswerOffer(sdp="x" * 2000)], [AnswerOffer(sdp="x" * 2000)]) as server:
        url = asking(server).url
        with pytest.raises(ConnectError, match="longer than 1999 bytes"):
            await post(PostOptions(url=url, body=b"", max_response_bytes=1999))
        assert len((await post(PostOptions(url=url, body=b"", max_response_bytes=2000))).body) == 2000


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "hung up"),
        (b"SSH-2.0-dropbear\r\n\r\n", "did not answer as HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "hung up"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", "did not answer as HTTP"),
    ],
)
async def test_a_server_that_is_none(answer: bytes, reason: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with tcp_server(serve) as port:
        error = await failure(PostOptions(url=f"http://127.0.0.1:{port}/", body=b"", timeout_s=5))
    assert error.stage == "request"
    assert reason in error.reason


async def test_nothing_listening() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    error = await failure(PostOptions(url=f"http://127.0.0.1:{port}/", body=b"", retry_delays_s=(0.0,)))
    assert error.stage == "connect"


@pytest.mark.parametrize("encrypted", [True, False])
async def test_through_a_proxy(*, encrypted: bool, authority: trustme.CA, client_tls: ssl.SSLContext) -> None:
    import ssl

    service_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(service_tls)
    options = ServerOptions(host=HOST, tls=service_tls if encrypted else None)
    proxy = ConnectProxy()
    async with ScriptedServer([AnswerOffer(sdp="v=0")], options=options) as server, proxy.running() as place:
        url = server.url.replace("ws", "http", 1)
        env: Mapping[str, str] = {"ALL_PROXY": place}
        answer = await post(PostOptions(url=url, body=b"", tls=client_tls, proxy=proxy_for(url, env)))
        assert proxy.requests[0][0] == f"CONNECT {HOST}:{server.port} HTTP/1.1"
    assert answer.body == b"v=0"


async def test_an_authority_that_is_not_trusted_is_not_tried_again(
    server_tls: ssl.SSLContext, other_client_tls: ssl.SSLContext
) -> None:
    async with ScriptedServer(options=ServerOptions(tls=server_tls)) as server:
        url = server.url.replace("ws", "http", 1)
        began = time.monotonic()
        error = await failure(PostOptions(url=url, body=b"", tls=other_client_tls, retry_delays_s=(30.0,)))
        assert time.monotonic() - began < 5
    assert error.stage == "tls"
    assert "BACKCHANNEL_CA_CERTIFICATE" in error.remedy


def test_options_that_do_not_fit() -> None:
    with pytest.raises(ConnectError, match="ftp:"):
        PostOptions(url="ftp://example.com", body=b"")
    with pytest.raises(LocalProtocolError, match="no TLS context"):
        PostOptions(url="https://example.com", body=b"")
    with pytest.raises(LocalProtocolError, match="greater than 0"):
        PostOptions(url="http://example.com", body=b"", timeout_s=0)
    with pytest.raises(UsageError, match="'Authorization' cannot be sent") as caught:
        PostOptions(url="http://example.com", body=b"", headers={"Authorization": f"{TOKEN}\r\nX: y"})
    assert planted_in(str(caught.value)) == []


def test_waits_double_give_or_take_a_tenth() -> None:
    assert backoff_s(lambda: 0.5) == pytest.approx((0.2, 0.4, 0.8, 1.6))
    assert backoff_s(lambda: 0.0, n_retries=2) == pytest.approx((0.18, 0.36))
    assert all(wait < bound for wait, bound in zip(backoff_s(lambda: 0.999999), (0.22, 0.44, 0.88, 1.76), strict=True))
    assert backoff_s(lambda: 0.5, n_retries=0) == ()
    assert backoff_s(lambda: 0.5, n_retries=2, first_s=1.0) == pytest.approx((1.0, 2.0))
