"""HTTP requests on aiohttp, over the same connector as websockets: one policy for trust, proxies and stages.

Each try has a connection of its own, which is closed with it: there are too few requests for keeping any.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Final, assert_never
from urllib.parse import parse_qsl

import aiohttp
import msgspec
import yarl

from backchannel.errors import AuthError, ConnectError, ConnectionLost
from backchannel.net.connector import StagedConnector
from backchannel.net.headers import completed_headers, status_words
from backchannel.net.http import PostOptions, Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from backchannel.net.tunnel import Stage

__all__ = ["send_post", "stream_post"]

_RELEASE_S: Final = 0.5
"""How long the socket may take to close."""
_MAX_WORDS: Final = 300
"""A server's message longer than this is not for a person."""
_MAX_ERROR_BYTES: Final = 64 * 1024
"""As much of a refusal is looked at."""
_MIN_SECRET: Final = 6
_SECRET_HEADERS: Final = re.compile(r"authorization|cookie|key|token|secret|password", re.IGNORECASE)
_KEY_LIKE: Final = re.compile(r"\b(?:sk|pk|rk|ek)[-_][\w*.-]{4,}|\bBearer\s+\S+", re.IGNORECASE)

_log = logging.getLogger(__name__)


async def send_post(options: PostOptions) -> Response:
    """Send a POST request; see `backchannel.net.post`."""
    stage: list[Stage] = ["address"]
    try:
        async with asyncio.timeout(options.timeout_s):
            return await _try_often(options, stage)
    except TimeoutError as exc:
        raise _timed_out(options, stage[-1], within_s=options.timeout_s) from exc


async def stream_post(options: PostOptions, *, idle_timeout_s: float) -> AsyncGenerator[bytes]:
    """Send a POST request and take the answer as it comes; see `backchannel.net.stream`."""
    connector = _connector(options)
    loop = asyncio.get_running_loop()
    deadline = asyncio.timeout(options.timeout_s)

    async def sent(*_: object) -> None:
        # From here on it is the server that is waited for.
        deadline.reschedule(loop.time() + idle_timeout_s)

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(sent)
    session = _session(connector, traces=[trace])
    response: aiohttp.ClientResponse | None = None
    try:
        try:
            async with deadline:
                response = await _open(session, options)
                if not 200 <= response.status < 300:
                    raise _refused(options, response.status, await _read(response, _MAX_ERROR_BYTES) or b"")
        except TimeoutError:
            # On the way to the server `timeout_s` held, then the other one.
            waited_s = idle_timeout_s if connector.stage == "handshake" else options.timeout_s
            failure: Exception = _timed_out(options, connector.stage, within_s=waited_s)
        except (aiohttp.ClientError, OSError) as exc:
            failure = _did_not_answer(options, exc)
        else:
            _log.debug("< %s from %s", response.status, options.address.target)
            yield b""
            try:
                while True:
                    async with asyncio.timeout(idle_timeout_s):
                        piece = await response.content.readany()
                    if not piece:
                        return
                    yield piece
            except TimeoutError:
                failure = ConnectionLost(f"nothing came from {options.address.target} for {idle_timeout_s:g} s")
            except (aiohttp.ClientError, OSError):
                failure = ConnectionLost(f"the connection to {options.address.target} was lost")
    finally:
        try:
            connector.abort()
            await connector.finish(within_s=_RELEASE_S)
        finally:
            if response is not None:
                response.close()
            await session.close()
    # Out here for the reason that `_try` gives.
    raise failure


async def _try_often(options: PostOptions, stage: list[Stage]) -> Response:
    n_tries = len(options.retry_delays_s) + 1
    for n, delay_s in enumerate(options.retry_delays_s, start=1):
        try:
            return await _try(options, stage)
        except ConnectError as exc:
            if not _is_passing(exc):
                raise
            _log.warning("! try %d of %d: %s; the next one in %.0f ms", n, n_tries, exc, delay_s * 1000)
        await asyncio.sleep(delay_s)
    return await _try(options, stage)


def _is_passing(exc: ConnectError) -> bool:
    """Whether a failure may be gone at the next try; who we are and whom we trust stays as it is."""
    if exc.status is not None:  # the server's, or the proxy's
        return exc.status == 429 or exc.status >= 500
    return exc.stage != "tls"


async def _try(options: PostOptions, stage: list[Stage]) -> Response:
    connector = _connector(options)
    session = _session(connector)
    try:
        return await _exchange(session, options)
    except (aiohttp.ClientError, OSError) as exc:
        failure = _did_not_answer(options, exc)
    finally:
        stage.append(connector.stage)
        try:
            connector.abort()
            await connector.finish(within_s=_RELEASE_S)
        finally:
            # Also when it is cancelled once more.
            await session.close()
    # Out here, since the library's exceptions may hold the request's headers: none is chained, nor the context of ours.
    raise failure


def _connector(options: PostOptions) -> StagedConnector:
    address = options.address
    return StagedConnector(address, tls=options.tls if address.encrypted else None, proxy=options.proxy)


def _session(connector: StagedConnector, *, traces: list[aiohttp.TraceConfig] | None = None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        # Nothing is unpacked here, so the bound on the length is one on the memory.
        auto_decompress=False,
        trace_configs=traces,
        trust_env=False,
    )


def _did_not_answer(options: PostOptions, exc: Exception) -> ConnectError:
    hung_up = isinstance(exc, OSError | aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError)
    detail = "hung up before it had answered" if hung_up else "did not answer as HTTP"
    return ConnectError(
        stage="request",
        target=options.address.target,
        reason=f"the server {detail}",
        remedy="try again later, and check that the address and the port are right",
    )


async def _open(session: aiohttp.ClientSession, options: PostOptions) -> aiohttp.ClientResponse:
    headers = completed_headers(options.headers, options.address)
    if "accept-encoding" not in {name.lower() for name in headers}:
        headers["Accept-Encoding"] = "identity"
    url = yarl.URL(options.address.request_url, encoded=True)
    return await session.post(url, data=options.body, headers=headers, allow_redirects=False)


async def _exchange(session: aiohttp.ClientSession, options: PostOptions) -> Response:
    async with await _open(session, options) as response:
        if not 200 <= response.status < 300:
            body = await _read(response, _MAX_ERROR_BYTES)
            raise _refused(options, response.status, body or b"")
        body = await _read(response, options.max_response_bytes)
        if body is None:
            raise ConnectError(
                stage="request",
                target=options.address.target,
                reason=f"the server's answer is longer than {options.max_response_bytes} bytes",
                remedy="check that the address is that of the right server",
                status=response.status,
            )
        answered = {name.lower(): value for name, value in response.headers.items()}
        _log.debug("< %s from %s", response.status, options.address.target)
        return Response(status=response.status, headers=answered, body=body)


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """The body, or None when it is longer than that."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


class _Told(msgspec.Struct):
    message: str


class _Refusal(msgspec.Struct):
    error: _Told


def _refused(options: PostOptions, status: int, body: bytes) -> ConnectError:
    kind = ConnectError
    match status:
        case 401:
            kind = AuthError
            remedy = (
                "check the key for this server, it is missing, wrong or expired: "
                "set BACKCHANNEL_API_KEY (OpenAI also takes OPENAI_API_KEY)"
            )
        case 403:
            kind = AuthError
            remedy = "check that the key may use this server: its project, its permissions and the region"
        case 404 | 405 | 410:
            remedy = "check the path of the address, and that this server can do what was asked of it"
        case 429:
            remedy = "wait a moment and try again; if it stays, check the account's limits and credit"
        case _ if status >= 500:
            remedy = "the trouble is on its side: try again later"
        case _ if status < 400:
            remedy = "it points elsewhere, which is not followed: check the address"
        case _:
            remedy = "check what was asked for: the model, the voice and the settings"
    words = _server_words(options, body)
    reason = f"the server answered {status_words(status)}" + (f": {words}" if words else "")
    return kind(stage="request", target=options.address.target, reason=reason, remedy=remedy, status=status)


def _server_words(options: PostOptions, body: bytes) -> str:
    """What the server says of its refusal, if it is short, without what it may quote of our secrets."""
    try:
        told = msgspec.json.decode(body, type=_Refusal).error.message
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    words = " ".join("".join(each if each.isprintable() else " " for each in told).split())
    if len(words) > _MAX_WORDS:
        return ""
    for secret in _secrets(options):
        words = words.replace(secret, "[left out]")
    return _KEY_LIKE.sub("[left out]", words).rstrip(".")


def _secrets(options: PostOptions) -> set[str]:
    values = [value for name, value in options.headers.items() if _SECRET_HEADERS.search(name)]
    values += [value for _, value in parse_qsl(options.address.query)]
    values += [options.address.username or "", options.address.password or ""]
    return {word for value in values for word in (value, *value.split()) if len(word) >= _MIN_SECRET}


def _timed_out(options: PostOptions, stage: Stage, *, within_s: float) -> ConnectError:
    match stage:
        case "address":
            what, remedy = "the name was not resolved", "check this machine's network and its name server"
        case "proxy":
            named = "" if options.proxy is None else f" {options.proxy.target} ({options.proxy.variable})"
            what = f"the proxy{named} opened no tunnel"
            remedy = "check that the proxy works, or name the host in NO_PROXY to go past it"
        case "connect":
            what = "nothing answered"
            remedy = "check the address and the port, and that no firewall is in between"
        case "tls":
            what, remedy = "TLS was not negotiated", "check that this server speaks TLS on this port"
        case "handshake":
            what, remedy = "the server did not answer", "try again later, and check that the address is right"
        case _:
            assert_never(stage)
    named_stage = "request" if stage == "handshake" else stage
    return ConnectError(
        stage=named_stage, target=options.address.target, reason=f"{what} within {within_s:g} s", remedy=remedy
    )
