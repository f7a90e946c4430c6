"""The envelopes of the app server's protocol: JSON-RPC 2.0 without its `jsonrpc` member.

Whatever comes in gives a value: what cannot be read, or is none of the four kinds of message, is `Undecodable`. What
stands inside (`params`, `result`, `data`) is not looked at here; it stays as it came until somebody knows what it is.

What goes out is one line without its end, also where a part of it was written elsewhere and over several lines. Text
without UTF-8 (lone surrogates) goes out with question marks in the place of what cannot be written.

Source: app-server.md 1.1 and 1.3.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from backchannel.wire.unicode import encodable

__all__ = [
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "NOT_SUPPORTED",
    "OVERLOADED",
    "ErrorResponse",
    "Message",
    "Notification",
    "Request",
    "RequestId",
    "Response",
    "RpcError",
    "Trace",
    "Undecodable",
    "decode",
    "encode_error",
    "encode_notification",
    "encode_request",
    "encode_result",
    "overloaded",
]

INVALID_REQUEST: Final = -32600
"""Nearly everything that a client did wrong, unknown methods and parameters of the wrong type among it."""
NOT_SUPPORTED: Final = -32601
"""The method is known, and this server cannot do it."""
INVALID_PARAMS: Final = -32602
"""Parameters that were understood and cannot be taken; `data` says more."""
INTERNAL_ERROR: Final = -32603
"""A mistake of ours."""
OVERLOADED: Final = -32001
"""Too much is waiting; the same request may be sent again later."""

RequestId: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | str
"""An id goes back with the type that it came with."""
_Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Trace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a request belongs in a distributed trace, in the headers of W3C Trace Context."""

    traceparent: str | None = None
    tracestate: str | None = None


class Request(msgspec.Struct, frozen=True, gc=False):
    """Somebody asks, and waits for an answer."""

    id: RequestId
    method: str
    params: Raw | UnsetType = UNSET
    trace: Trace | None = None


class Notification(msgspec.Struct, frozen=True, gc=False):
    """Somebody tells something."""

    method: str
    params: Raw | UnsetType = UNSET


class Response(msgspec.Struct, frozen=True, gc=False):
    """The answer to a request."""

    id: RequestId
    result: Raw


class RpcError(msgspec.Struct, frozen=True, gc=False):
    """Why a request was refused."""

    code: _Int64
    message: str
    data: Raw | UnsetType = UNSET


class ErrorResponse(msgspec.Struct, frozen=True, gc=False):
    """A request was refused."""

    id: RequestId
    error: RpcError


class Undecodable(msgspec.Struct, frozen=True, gc=False):
    """No message. It is logged and nothing else happens; the connection goes on."""

    reason: str
    """Fit for a log: it quotes nothing."""


Message: TypeAlias = Request | Notification | Response | ErrorResponse | Undecodable


class _Envelope(msgspec.Struct, gc=False):
    id: RequestId | UnsetType = UNSET
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: RpcError | UnsetType = UNSET
    trace: Trace | None = None


class _OddEnvelope(msgspec.Struct, gc=False):
    """One of whose members has a type that it should not have."""

    id: Raw = Raw(b"")
    method: Raw = Raw(b"")
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw = Raw(b"")
    trace: Raw = Raw(b"null")


_decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_decode_odd_envelope: Final = msgspec.json.Decoder(_OddEnvelope).decode
# Each can also say that there is nothing.
_id_decoder: Final[msgspec.json.Decoder[RequestId | UnsetType]] = msgspec.json.Decoder(RequestId)
_method_decoder: Final[msgspec.json.Decoder[str | UnsetType]] = msgspec.json.Decoder(str)
_error_decoder: Final[msgspec.json.Decoder[RpcError | UnsetType]] = msgspec.json.Decoder(RpcError)
_trace_decoder: Final[msgspec.json.Decoder[Trace | UnsetType | None]] = msgspec.json.Decoder(Trace | None)


def decode(message: bytes | str) -> Message:
    """Read one line or frame; anything gives a value, never an exception."""
    try:
        if isinstance(message, bytes) and not message.isascii():
            # What is not looked into is not checked otherwise.
            message.decode()
        try:
            envelope = _decode_envelope(message)
        except msgspec.ValidationError:
            envelope = _of_odd(_decode_odd_envelope(message))
    except msgspec.ValidationError:
        return Undecodable("not a JSON object")
    except msgspec.DecodeError:
        return Undecodable("not JSON")
    except UnicodeError:
        return Undecodable("not UTF-8")
    except RecursionError:
        return Undecodable("nested too deeply")
    return _told_apart(envelope)


def _told_apart(envelope: _Envelope) -> Message:
    """The first kind of message that it can be, in the order in which the reference tries them."""
    number, method = envelope.id, envelope.method
    if method is not UNSET:
        if number is UNSET:
            return Notification(method, envelope.params)
        return Request(number, method, envelope.params, envelope.trace)
    if number is UNSET:
        return Undecodable("neither a method nor an id")
    if envelope.result is not UNSET:
        return Response(number, envelope.result)
    if envelope.error is not UNSET:
        return ErrorResponse(number, envelope.error)
    return Undecodable("neither a method nor a result nor an error")


def _of_odd(odd: _OddEnvelope) -> _Envelope:
    """What is left without the members of the wrong type; a request with such a trace is none that can be answered."""
    envelope = _Envelope(
        _read(_id_decoder, odd.id),
        _read(_method_decoder, odd.method),
        odd.params,
        odd.result,
        _read(_error_decoder, odd.error),
    )
    trace = _read(_trace_decoder, odd.trace)
    if trace is not UNSET:
        envelope.trace = trace
    elif envelope.method is not UNSET:
        envelope.id = UNSET
    return envelope


_Member = TypeVar("_Member")


def _read(decoder: msgspec.json.Decoder[_Member | UnsetType], member: Raw) -> _Member | UnsetType:
    try:
        return decoder.decode(member)
    except msgspec.DecodeError:
        return UNSET


class _Result(msgspec.Struct, gc=False):
    id: RequestId
    result: object


class _Error(msgspec.Struct, gc=False):
    error: RpcError
    id: RequestId


class _Notification(msgspec.Struct, gc=False):
    method: str
    params: object
    emitted_at_ms: int | UnsetType = msgspec.field(name="emittedAtMs", default=UNSET)


class _Request(msgspec.Struct, gc=False):
    method: str
    id: RequestId
    params: object


_encoder: Final = msgspec.json.Encoder()


def encode_result(request_id: RequestId, result: msgspec.Struct | Raw) -> bytes:
    """Answer a request."""
    return _line(_Result(request_id, result))


def encode_error(request_id: RequestId, error: RpcError) -> bytes:
    """Refuse a request."""
    return _line(_Error(error, request_id))


def encode_notification(method: str, params: msgspec.Struct | Raw, *, emitted_at_ms: int | None = None) -> bytes:
    """Tell something, and when it happened (Unix milliseconds) where that is known."""
    return _line(_Notification(method, params, UNSET if emitted_at_ms is None else emitted_at_ms))


def encode_request(request_id: RequestId, method: str, params: msgspec.Struct | Raw) -> bytes:
    """Ask something."""
    return _line(_Request(method, request_id, params))


def overloaded(request_id: RequestId) -> bytes:
    """Refuse a request because too many are waiting."""
    return encode_error(request_id, RpcError(OVERLOADED, "Server overloaded; retry later."))


def _line(envelope: msgspec.Struct) -> bytes:
    try:
        line = _encoder.encode(envelope)
    except UnicodeEncodeError:
        line = _encoder.encode(encodable(envelope))
    # Only JSON that others wrote can have line ends; inside strings they are escaped.
    return msgspec.json.format(line, indent=-1) if b"\n" in line else line
