"""Which methods and notifications there are, and how their parameters are read.

The words of a refusal are those of the reference as far as clients may look at them: app-server.md 1.2 and 1.3.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import Final, Literal

import msgspec

from backchannel.wire.appserver import account, approvals, handshake, realtime, threads, turns
from backchannel.wire.appserver.items import TextInput
from backchannel.wire.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, Problem

__all__ = [
    "MAX_INPUT_CHARACTERS",
    "METHODS",
    "NOTIFICATIONS",
    "SERVER_REQUESTS",
    "Empty",
    "Method",
    "TellNotification",
    "experimental_use",
    "read_params",
    "unknown_method",
]

MAX_INPUT_CHARACTERS: Final = 1_048_576


class Empty(msgspec.Struct, frozen=True):
    """Nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A request of a client."""

    params: type[msgspec.Struct]
    result: type[msgspec.Struct] = Empty
    is_experimental: bool = False
    experimental_fields: tuple[str, ...] = ()
    """By their name on the wire."""
    is_ours: bool = False
    """Whether only we have it."""
    needs_params: bool = False
    """Whether a request has to have parameters, if only empty ones."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TellNotification:
    """A notification of the server."""

    params: type[msgspec.Struct]
    is_ours: bool = False
    """Whether it goes only to clients with the capability `backchannel`."""


def _realtime(params: type[msgspec.Struct], *, is_ours: bool = False) -> Method:
    return Method(params=params, is_experimental=True, is_ours=is_ours)


METHODS: Final = {
    "initialize": Method(params=handshake.InitializeParams, result=handshake.InitializeResult),
    "thread/start": Method(
        params=threads.ThreadStartParams,
        result=threads.ThreadResult,
        experimental_fields=(
            "mockExperimentalField",
            "dynamicTools",
            "environments",
            "historyMode",
            "experimentalRawEvents",
        ),
    ),
    "thread/resume": Method(params=threads.ThreadResumeParams, result=threads.ThreadResult),
    "thread/fork": Method(params=threads.ThreadForkParams, result=threads.ThreadResult),
    "thread/read": Method(params=threads.ThreadReadParams, result=threads.ThreadReadResult),
    "thread/list": Method(params=threads.ThreadListParams, result=threads.ThreadListResult),
    "thread/loaded/list": Method(params=threads.LoadedListParams, result=threads.LoadedListResult),
    "thread/name/set": Method(params=threads.ThreadNameParams),
    "thread/archive": Method(params=threads.ThreadIdParams),
    "thread/unarchive": Method(params=threads.ThreadIdParams, result=threads.UnarchiveResult),
    "thread/unsubscribe": Method(params=threads.ThreadIdParams, result=threads.UnsubscribeResult),
    "turn/start": Method(params=turns.TurnStartParams, result=turns.TurnStartResult),
    "turn/steer": Method(params=turns.TurnSteerParams, result=turns.TurnSteerResult),
    "turn/interrupt": Method(params=turns.TurnInterruptParams),
    "account/login/start": Method(params=account.LoginParams, result=account.LoginResult),
    "account/read": Method(params=account.AccountReadParams, result=account.AccountReadResult),
    "account/logout": Method(params=Empty),
    "model/list": Method(params=account.ModelListParams, result=account.ModelListResult),
    "experimentalFeature/list": Method(params=account.FeatureListParams, result=account.FeatureListResult),
    "thread/realtime/start": _realtime(realtime.RealtimeStartParams),
    "thread/realtime/appendAudio": _realtime(realtime.AppendAudioParams),
    "thread/realtime/appendText": _realtime(realtime.AppendTextParams),
    "thread/realtime/appendSpeech": _realtime(realtime.AppendSpeechParams),
    "thread/realtime/stop": _realtime(realtime.RealtimeStopParams),
    "thread/realtime/listVoices": Method(
        params=Empty, result=realtime.ListVoicesResult, is_experimental=True, needs_params=True
    ),
    "thread/realtime/playback": _realtime(realtime.PlaybackParams, is_ours=True),
}
"""What a client may ask."""


def _tell(params: type[msgspec.Struct], *, is_ours: bool = False) -> TellNotification:
    return TellNotification(params=params, is_ours=is_ours)


NOTIFICATIONS: Final = {
    "thread/started": _tell(threads.ThreadStarted),
    "thread/status/changed": _tell(threads.ThreadStatusChanged),
    "thread/closed": _tell(threads.ThreadClosed),
    "thread/archived": _tell(threads.ThreadClosed),
    "thread/unarchived": _tell(threads.ThreadClosed),
    "thread/name/updated": _tell(threads.ThreadNameUpdated),
    "turn/started": _tell(turns.TurnStarted),
    "turn/completed": _tell(turns.TurnCompleted),
    "item/started": _tell(turns.ItemStarted),
    "item/completed": _tell(turns.ItemCompleted),
    "item/agentMessage/delta": _tell(turns.AgentMessageDelta),
    "item/commandExecution/outputDelta": _tell(turns.CommandOutputDelta),
    "error": _tell(turns.ErrorTold),
    "warning": _tell(turns.WarningTold),
    "account/login/completed": _tell(account.LoginCompleted),
    "account/updated": _tell(account.AccountUpdated),
    "serverRequest/resolved": _tell(approvals.RequestResolved),
    "thread/realtime/started": _tell(realtime.RealtimeStarted),
    "thread/realtime/sdp": _tell(realtime.RealtimeSdp),
    "thread/realtime/itemAdded": _tell(realtime.RealtimeItemAdded),
    "thread/realtime/transcript/delta": _tell(realtime.TranscriptDelta),
    "thread/realtime/transcript/done": _tell(realtime.TranscriptDone),
    "thread/realtime/outputAudio/delta": _tell(realtime.OutputAudio),
    "thread/realtime/error": _tell(realtime.RealtimeError),
    "thread/realtime/closed": _tell(realtime.RealtimeClosed),
    "thread/realtime/item/started": _tell(realtime.RealtimeItemStarted),
    "thread/realtime/item/transcript/delta": _tell(realtime.RealtimeItemTranscriptDelta),
    "thread/realtime/item/completed": _tell(realtime.RealtimeItemCompleted),
    "thread/realtime/warning": _tell(realtime.RealtimeWarning, is_ours=True),
    "thread/realtime/reconnecting": _tell(realtime.RealtimeReconnecting, is_ours=True),
    "thread/realtime/reconnected": _tell(realtime.RealtimeReconnected, is_ours=True),
}
"""What a client may be told."""

SERVER_REQUESTS: Final = {
    "item/commandExecution/requestApproval": approvals.CommandApprovalParams,
    "item/fileChange/requestApproval": approvals.FileChangeApprovalParams,
}
"""What a client may be asked; the answer is an `ApprovalAnswer`."""

_DECODERS: Final = {name: msgspec.json.Decoder(method.params) for name, method in METHODS.items()}
_NO_PARAMS: Final = b"{}"


def unknown_method(name: str) -> Problem:
    """The refusal of a method that there is not."""
    return _invalid(f"unknown variant `{name}`, expected {_alternatives(METHODS)}")


def experimental_use(name: str, params: msgspec.Raw | None) -> Problem | None:
    """The refusal of what a client may not use that did not ask for the experimental API; None where it may."""
    method = METHODS[name]
    if method.is_experimental:
        return Problem(code=INVALID_REQUEST, message=f"{name} requires experimentalApi capability")
    if not method.experimental_fields or params is None:
        return None
    try:
        given = msgspec.json.decode(params, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # Which is said when it is read.
        return None
    for field in method.experimental_fields:
        if bytes(given.get(field, msgspec.Raw(b"null"))) not in (b"null", b"false"):
            return Problem(code=INVALID_REQUEST, message=f"{name}.{field} requires experimentalApi capability")
    return None


def read_params(name: str, params: msgspec.Raw | None) -> msgspec.Struct | Problem:
    """The parameters of a method that there is, or why it is refused."""
    if params is None and METHODS[name].needs_params:
        return _invalid("missing field `params`")
    data = _NO_PARAMS if params is None else bytes(params)
    try:
        read: msgspec.Struct = _DECODERS[name].decode(_NO_PARAMS if data == b"null" else data)
    except msgspec.ValidationError as exc:
        return _invalid(_in_other_words(str(exc), METHODS[name].params))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        return _invalid(str(exc) or type(exc).__name__)
    if isinstance(read, turns.TurnStartParams | turns.TurnSteerParams):
        n_characters = sum(len(part.text) for part in read.input if isinstance(part, TextInput))
        if n_characters > MAX_INPUT_CHARACTERS:
            return _too_long(n_characters)
    return read


def _too_long(n_characters: int) -> Problem:
    data = {
        "input_error_code": "input_too_large",
        "max_chars": MAX_INPUT_CHARACTERS,
        "actual_chars": n_characters,
    }
    return Problem(
        code=INVALID_PARAMS,
        message=f"Input exceeds the maximum length of {MAX_INPUT_CHARACTERS} characters.",
        data=msgspec.Raw(msgspec.json.encode(data)),
    )


def _invalid(what: str) -> Problem:
    return Problem(code=INVALID_REQUEST, message=f"Invalid request: {what}")


# In the words of the reference

_MISSING: Final = re.compile(r"Object missing required field `(?P<name>[^`]*)`.*")
_VARIANT: Final = re.compile(r"Invalid (?:enum )?value '(?P<value>[^']*)'(?: - at `\$(?P<path>[^`]*)`)?")
_TYPE: Final = re.compile(r"Expected `(?P<wanted>.*)`, got `(?P<got>[^`]*)`.*")


def _in_other_words(said: str, kind: type[msgspec.Struct]) -> str:
    if missing := _MISSING.fullmatch(said):
        return f"missing field `{missing['name']}`"
    if variant := _VARIANT.fullmatch(said):
        known = _variants(kind, (variant["path"] or "").strip(".").split("."))
        return f"unknown variant `{variant['value']}`, expected {_alternatives(known)}"
    if wrong := _TYPE.fullmatch(said):
        return f"invalid type: {wrong['got']}, expected {wrong['wanted']}"
    return said[:1].lower() + said[1:]


def _variants(kind: object, path: list[str]) -> list[str]:
    """The values that may stand at a place, in the order in which they are declared."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if path == ["type"] and kind.__struct_config__.tag is not None:
            return [str(kind.__struct_config__.tag)]
        name, *rest = path
        name = name.partition("[")[0]
        fields = msgspec.structs.fields(kind)
        return [value for field in fields if field.encode_name == name for value in _variants(field.type, rest)]
    if typing.get_origin(kind) is Literal:
        return [str(value) for value in typing.get_args(kind)]
    # A union, a list, or one of these with a bound.
    return [value for each in typing.get_args(kind) for value in _variants(each, path)]


def _alternatives(names: object) -> str:
    known = [f"`{name}`" for name in names] if isinstance(names, list | dict) else []
    match known:
        case [one]:
            return one
        case [one, other]:
            return f"{one} or {other}"
        case _:
            return f"one of {', '.join(known)}"
