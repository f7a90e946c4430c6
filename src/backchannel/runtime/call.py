"""WebRTC calls: creating one, and joining its session from the side.

The call itself (sound, SDP) is between the server and whoever made the offer; we carry the two descriptions and then
speak the protocol on a websocket beside it. SDP goes into no log: it names addresses of the user's network.

Source: realtime.md 2.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Final

from backchannel.errors import AuthError, ConnectError
from backchannel.net import PostOptions, backoff_s, connect, post, proxy_for
from backchannel.runtime.dial import connect_options, request_headers, tls_for
from backchannel.runtime.transport import Join
from backchannel.wire.realtime import create_call as call_request
from backchannel.wire.realtime import read_answer, sideband_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.net import ConnectOptions, WebSocket
    from backchannel.runtime.dial import Target
    from backchannel.wire.realtime import CallAnswer, Dialect, SessionSettings

__all__ = ["create_call", "join_sideband"]

_log = logging.getLogger(__name__)

_GONE: Final = (404, 410)
"""The call is unknown or over; no further try changes that."""


async def create_call(
    target: Target,
    dialect: Dialect,
    session: SessionSettings,
    offer_sdp: str,
    *,
    random: Callable[[], float] = random.random,
) -> CallAnswer:
    """Create a call.

    Args:
        target: The server.
        dialect: What its session speaks.
        session: What the session is told about itself.
        offer_sdp: Of the side that has the microphone.
        random: Spreads the further tries.

    Raises:
        UsageError: The address, a header, the proxy or the certificate bundle cannot be used.
        ConnectError: The server could not be reached or refused; says stage and remedy.
        RemoteProtocolError: The server's answer is not what the protocol has.
    """
    base_url = target.call_base_url or target.base_url
    request = call_request(base_url, dialect=dialect, sdp=offer_sdp, settings=session)
    headers = request_headers(target, dialect.endpoint, session_id=session.session_id, more=request.headers)
    options = PostOptions(
        url=request.url,
        body=request.body,
        headers=headers,
        tls=await tls_for(target, request.url, purpose="realtime call"),
        proxy=proxy_for(request.url, target.env),
        retry_delays_s=backoff_s(random, n_retries=target.n_retries),
    )
    response = await post(options)
    answer = read_answer(dialect, body=response.body, location=response.headers.get("location"))
    _log.info("= call %r was created", answer.call_id)
    return answer


async def join_sideband(
    target: Target,
    dialect: Dialect,
    call_id: str,
    *,
    session_id: str | None = None,
    join: Join | None = None,
    random: Callable[[], float] = random.random,
) -> WebSocket:
    """Join the session of a call.

    Args:
        target: The server.
        dialect: What the session speaks.
        call_id: Which call.
        session_id: Goes into a header.
        join: How patiently; None for the usual patience.
        random: Spreads the further tries.

    Raises:
        UsageError: The id, a header, the proxy or the certificate bundle cannot be used.
        ConnectError: It could not be joined (stage `sideband`); says why the last try failed.
        MissingComponentError: The proxy needs an optional package.
    """
    join = join or Join()
    base_url = target.sideband_base_url or target.call_base_url or target.base_url
    url = sideband_url(base_url, endpoint=dialect.endpoint, call_id=call_id)
    endpoint = dialect.endpoint
    options = await connect_options(target, url, endpoint=endpoint, session_id=session_id, purpose="sideband")
    n_retries = target.n_retries if join.n_retries is None else join.n_retries
    delays_s = backoff_s(random, n_retries=n_retries, first_s=join.first_delay_s)
    last: list[ConnectError] = []
    try:
        async with asyncio.timeout(join.deadline_s):
            return await _try_often(options, delays_s, last)
    except TimeoutError as exc:
        said = f" (the last try: {last[-1].reason})" if last else ""
        raise ConnectError(
            stage="sideband",
            target=options.target,
            reason=f"the call's session was not joined within {join.deadline_s:g} s{said}",
            remedy="try again; if it stays, check that the server's address for sidebands can be reached from here",
        ) from exc


async def _try_often(options: ConnectOptions, delays_s: tuple[float, ...], last: list[ConnectError]) -> WebSocket:
    for n, delay_s in enumerate((*delays_s, None), start=1):
        try:
            return await connect(options)
        except ConnectError as exc:
            if delay_s is None or exc.status in _GONE:
                raise _not_joined(exc, n_tries=n) from exc
            last.append(exc)
            _log.warning("! try %d of %d to join a call: %s", n, len(delays_s) + 1, exc)
        await asyncio.sleep(delay_s)
    raise AssertionError("the last try returns or raises")


def _not_joined(exc: ConnectError, *, n_tries: int) -> ConnectError:
    kind = AuthError if isinstance(exc, AuthError) else ConnectError
    tries = "at the first try" if n_tries == 1 else f"in {n_tries} tries"
    remedy = "the call is unknown to the server, or over: create a new one" if exc.status in _GONE else exc.remedy
    return kind(
        stage="sideband",
        target=exc.target,
        reason=f"the call's session could not be joined {tries} ({exc.stage}: {exc.reason})",
        remedy=remedy,
        status=exc.status,
    )
