"""JSON-RPC messages as Codex's app server has them: without the `jsonrpc` member, an id keeps its JSON type.

What cannot be read is a value, never an exception. Source: app-server.md 1.1 and 1.3.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from backchannel.wire import unicode

__all__ = [
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "OVERLOADED",
    "Answer",
    "Id",
    "Incoming",
    "Notification",
    "Problem",
    "Refusal",
    "Request",
    "Trace",
    "Undecodable",
    "decode",
    "encode_error",
    "encode_notification",
    "encode_request",
    "encode_result",
]

INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
OVERLOADED: Final = -32001

Id: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | str
"""Of a request: an integer of 64 bits or a text; the answer carries it as it came."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The W3C trace that a request belongs to."""

    traceparent: str | None = None
    tracestate: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request is refused."""

    code: int
    message: str
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants an answer."""

    id: Id
    method: str
    params: msgspec.Raw | None = None
    """As they came; None for none."""
    trace: Trace | None = None


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants no answer."""

    method: str
    params: msgspec.Raw | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    id: Id
    result: msgspec.Raw


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for is refused."""

    id: Id
    error: Problem


class Undecodable(msgspec.Struct, frozen=True, kw_only=True):
    """Something else."""

    reason: str


Incoming: TypeAlias = Request | Notification | Answer | Refusal | Undecodable
"""Whatever comes."""


class _Envelope(msgspec.Struct):
    id: Id | msgspec.UnsetType = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    trace: Trace | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Problem | msgspec.UnsetType = msgspec.UNSET


_DECODER: Final = msgspec.json.Decoder(_Envelope)
_ENCODER: Final = msgspec.json.Encoder()


def decode(message: bytes | str) -> Incoming:
    """What a message is; it never fails. Members that are not known are passed over."""
    try:
        read = _DECODER.decode(message)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        return Undecodable(reason=str(exc) or type(exc).__name__)
    params = None if isinstance(read.params, msgspec.UnsetType) else read.params
    if not isinstance(read.method, msgspec.UnsetType):
        if isinstance(read.id, msgspec.UnsetType):
            return Notification(method=read.method, params=params)
        return Request(id=read.id, method=read.method, params=params, trace=read.trace)
    if isinstance(read.id, msgspec.UnsetType):
        return Undecodable(reason="it has neither a method nor an id")
    if not isinstance(read.error, msgspec.UnsetType):
        return Refusal(id=read.id, error=read.error)
    if not isinstance(read.result, msgspec.UnsetType):
        return Answer(id=read.id, result=read.result)
    return Undecodable(reason="it has an id, but neither a method nor a result nor an error")


class _Result(msgspec.Struct):
    id: Id
    result: object


class _Error(msgspec.Struct):
    error: Problem
    id: Id


class _Told(msgspec.Struct, omit_defaults=True):
    method: str
    params: object = None
    emitted_at_ms: int | None = msgspec.field(name="emittedAtMs", default=None)


class _Asked(msgspec.Struct):
    id: Id
    method: str
    params: object


def encode_result(id_: Id, result: object) -> bytes:
    """The answer to a request."""
    return _encode(_Result(id_, result))


def encode_error(id_: Id, problem: Problem) -> bytes:
    """The refusal of a request."""
    return _encode(_Error(problem, id_))


def encode_notification(method: str, params: object, *, emitted_at_ms: int | None = None) -> bytes:
    """A notification, with the time in milliseconds since the epoch where somebody wants to know."""
    return _encode(_Told(method, params, emitted_at_ms))


def encode_request(id_: Id, method: str, params: object) -> bytes:
    """A request to a client."""
    return _encode(_Asked(id_, method, params))


def _encode(message: object) -> bytes:
    try:
        return _ENCODER.encode(message)
    except UnicodeEncodeError:
        # Half a character, as a broken name on the disk has it. What is left to be opened came as JSON.
        plain = msgspec.to_builtins(message, enc_hook=msgspec.json.decode)
        return _ENCODER.encode(unicode.encodable(plain))
