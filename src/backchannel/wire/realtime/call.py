"""Creating a WebRTC call: the request, and what its answer says. Sending the one and getting the other is the shell's.

The offer (SDP) goes out with the session's description; back come the answer (SDP) and the id of the call, by which the
session is joined from the side (`sideband_url`). SDP is payload: it names addresses of the user's network and belongs
into no log.

Source: realtime.md 2; calls of the live dialect as the public client library's types declare them. v2 is refused by the
reference and allowed by us, without a query.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.errors import RemoteProtocolError
from backchannel.wire.realtime.endpoint import Path, call_url, is_backend
from backchannel.wire.unicode import encodable

if TYPE_CHECKING:
    from backchannel.wire.realtime.dialect import Dialect
    from backchannel.wire.realtime.session import SessionSettings

__all__ = ["BOUNDARY", "CallAnswer", "CallRequest", "create_call", "read_answer"]

BOUNDARY: Final = "codex-realtime-call-boundary"

_CALL_ID: Final = re.compile(r"rtc_.+|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_UNEXPECTED: Final = "the realtime server did not create the call as expected"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """The HTTP request that creates a call; who we are is added by the shell."""

    url: str = dataclasses.field(repr=False)
    """With the query and the credentials of the base."""
    headers: dict[str, str]
    body: bytes = dataclasses.field(repr=False)
    method: str = "POST"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """What a created call is."""

    call_id: str
    sdp: str = dataclasses.field(repr=False)
    """The answer, as it came."""


def create_call(base_url: str, *, dialect: Dialect, sdp: str, settings: SessionSettings | None) -> CallRequest:
    """The request for a call.

    Args:
        base_url: Of the server, as for `websocket_url`.
        dialect: What the session speaks.
        sdp: The offer of the side that has the microphone.
        settings: None leaves all of the session to the server; not for the live dialect, which needs at least a model.

    Raises:
        UsageError: The base is no address.
    """
    url = call_url(base_url, endpoint=dialect.endpoint)
    kind, body = _body(base_url, dialect, sdp, settings)
    return CallRequest(url=url, headers={"content-type": kind, **dialect.endpoint.headers}, body=body)


def _body(base_url: str, dialect: Dialect, sdp: str, settings: SessionSettings | None) -> tuple[str, bytes]:
    offer = sdp.encode("utf-8", "replace")
    if settings is None:
        return "application/sdp", offer
    session = dialect.call_session(settings)
    if dialect.endpoint.path is Path.LIVE_SESSIONS:
        return "application/json", _json({"session": session, "transport": {"type": "webrtc", "sdp": sdp}})
    if is_backend(base_url):
        return "application/json", _json({"sdp": sdp, "session": session})
    parts = _part("sdp", "application/sdp", offer) + _part("session", "application/json", _json(session))
    return f"multipart/form-data; boundary={BOUNDARY}", parts + f"--{BOUNDARY}--\r\n".encode()


def _part(name: str, kind: str, body: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode() + body + b"\r\n"


def _json(value: dict[str, object]) -> bytes:
    return msgspec.json.encode(encodable(msgspec.to_builtins(value)))


def read_answer(dialect: Dialect, *, body: bytes, location: str | None) -> CallAnswer:
    """What the server's answer to a call says.

    Args:
        dialect: What the session speaks.
        body: Of the response.
        location: Its header `Location`; None when it has none.

    Raises:
        RemoteProtocolError: The answer is not what the protocol has; says what is missing.
    """
    if dialect.endpoint.path is Path.LIVE_SESSIONS:
        return _live_answer(body)
    try:
        sdp = body.decode()
    except UnicodeDecodeError as exc:
        raise RemoteProtocolError(f"{_UNEXPECTED}: its answer is not UTF-8 from byte {exc.start}") from exc
    return CallAnswer(call_id=_call_id(location), sdp=sdp)


def _call_id(location: str | None) -> str:
    if location is None:
        raise RemoteProtocolError(f"{_UNEXPECTED}: its answer has no header Location, which names the call")
    if not location.isascii() or not location.isprintable():
        raise RemoteProtocolError(f"{_UNEXPECTED}: the header Location is not text")
    for segment in reversed(location.partition("?")[0].split("/")):
        if _CALL_ID.fullmatch(segment):
            return segment
    raise RemoteProtocolError(
        f"{_UNEXPECTED}: the header Location {location!r} has no call id, expected a part such as rtc_123 or a UUID"
    )


class _LiveSession(msgspec.Struct):
    id: str


class _LiveTransport(msgspec.Struct):
    sdp: str


class _LiveAnswer(msgspec.Struct):
    session: _LiveSession
    transport: _LiveTransport


def _live_answer(body: bytes) -> CallAnswer:
    try:
        answer = msgspec.json.decode(body, type=_LiveAnswer)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        # The reason names fields and types, never what stands in them.
        raise RemoteProtocolError(f"{_UNEXPECTED}: {exc}") from exc
    return CallAnswer(call_id=answer.session.id, sdp=answer.transport.sdp)
