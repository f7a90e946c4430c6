"""The table of everything that is asked, answered and told; dispatch, schema and documentation are made from it.

What the reference has and this table does not is answered as the reference answers what it has not: as an unknown
variant. A method or a field that is experimental is refused to clients without the capability `experimentalApi`, after
its parameters were read.

Source: app-server.md 1.2, 1.5 to 1.8; the reference's own schema.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from backchannel.wire.appserver import account, approvals, catalog, handshake, notifications, realtime, threads, turns
from backchannel.wire.appserver.invalid import REFUSALS, invalid_request, read_again, unknown_variant
from backchannel.wire.appserver.settings import GranularApproval
from backchannel.wire.appserver.shapes import NULL, Empty
from backchannel.wire.jsonrpc import INVALID_REQUEST, RpcError

__all__ = [
    "CLIENT_NOTIFICATIONS",
    "METHODS",
    "NOTIFICATIONS",
    "SERVER_REQUESTS",
    "Method",
    "Told",
    "decode_answer",
    "decode_params",
    "requires_experimental_api",
    "without_experimental_fields",
]


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be asked."""

    name: str
    params: object
    """A struct, or a union of structs."""
    result: type[msgspec.Struct]
    may_omit_params: bool = False
    is_experimental: bool = False
    experimental_fields: tuple[str, ...] = ()
    """By their names on the wire."""
    is_ours: bool = False
    """Whether the reference does not have it."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be told."""

    name: str
    params: type[msgspec.Struct] | None
    is_ours: bool = False
    """Whether only clients with the capability `backchannel` get it, since the reference does not have it."""


METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        Method(name="initialize", params=handshake.InitializeParams, result=handshake.InitializeResponse),
        Method(
            name="thread/start",
            params=threads.ThreadStartParams,
            result=threads.ThreadStartResponse,
            experimental_fields=(
                "allowProviderModelFallback",
                "runtimeWorkspaceRoots",
                "permissions",
                "multiAgentMode",
                "historyMode",
                "projectId",
                "daybreakEnabled",
                "environments",
                "dynamicTools",
                "selectedCapabilityRoots",
                "mockExperimentalField",
                "experimentalRawEvents",
            ),
        ),
        Method(
            name="thread/resume",
            params=threads.ThreadResumeParams,
            result=threads.ThreadResumeResponse,
            experimental_fields=("history", "path", "runtimeWorkspaceRoots", "permissions", "initialTurnsPage"),
        ),
        Method(
            name="thread/fork",
            params=threads.ThreadForkParams,
            result=threads.ThreadForkResponse,
            experimental_fields=(
                "experimentalPredictionMode",
                "experimentalDisablePredictionMcp",
                "beforeTurnId",
                "path",
                "runtimeWorkspaceRoots",
                "permissions",
                "attachToSource",
                "deferGoalContinuation",
            ),
        ),
        Method(name="thread/archive", params=threads.ThreadArchiveParams, result=Empty),
        Method(
            name="thread/unsubscribe", params=threads.ThreadUnsubscribeParams, result=threads.ThreadUnsubscribeResponse
        ),
        Method(name="thread/name/set", params=threads.ThreadSetNameParams, result=Empty),
        Method(name="thread/unarchive", params=threads.ThreadUnarchiveParams, result=threads.ThreadUnarchiveResponse),
        Method(
            name="thread/list",
            params=threads.ThreadListParams,
            result=threads.ThreadListResponse,
            experimental_fields=(
                "includeAttachedThreads",
                "projectId",
                "parentThreadId",
                "ancestorThreadId",
                "attachedToThreadId",
            ),
        ),
        Method(
            name="thread/loaded/list", params=threads.ThreadLoadedListParams, result=threads.ThreadLoadedListResponse
        ),
        Method(name="thread/read", params=threads.ThreadReadParams, result=threads.ThreadReadResponse),
        Method(
            name="turn/start",
            params=turns.TurnStartParams,
            result=turns.TurnStartResponse,
            experimental_fields=(
                "responsesapiClientMetadata",
                "responsesapiClientMetadataPatch",
                "additionalContext",
                "environments",
                "runtimeWorkspaceRoots",
                "permissions",
                "collaborationMode",
                "multiAgentMode",
                "cyberAccessProgram",
            ),
        ),
        Method(
            name="turn/steer",
            params=turns.TurnSteerParams,
            result=turns.TurnSteerResponse,
            experimental_fields=(
                "responsesapiClientMetadata",
                "responsesapiClientMetadataPatch",
                "additionalContext",
            ),
        ),
        Method(name="turn/interrupt", params=turns.TurnInterruptParams, result=Empty),
        Method(
            name="thread/realtime/start", params=realtime.ThreadRealtimeStartParams, result=Empty, is_experimental=True
        ),
        Method(
            name="thread/realtime/appendAudio",
            params=realtime.ThreadRealtimeAppendAudioParams,
            result=Empty,
            is_experimental=True,
        ),
        Method(
            name="thread/realtime/appendText",
            params=realtime.ThreadRealtimeAppendTextParams,
            result=Empty,
            is_experimental=True,
        ),
        Method(
            name="thread/realtime/appendSpeech",
            params=realtime.ThreadRealtimeAppendSpeechParams,
            result=Empty,
            is_experimental=True,
        ),
        Method(
            name="thread/realtime/stop", params=realtime.ThreadRealtimeStopParams, result=Empty, is_experimental=True
        ),
        Method(
            name="thread/realtime/listVoices",
            params=realtime.ThreadRealtimeListVoicesParams,
            result=realtime.ThreadRealtimeListVoicesResponse,
            is_experimental=True,
        ),
        Method(
            name="thread/realtime/playback",
            params=realtime.ThreadRealtimePlaybackParams,
            result=Empty,
            is_experimental=True,
            is_ours=True,
        ),
        Method(name="model/list", params=catalog.ModelListParams, result=catalog.ModelListResponse),
        Method(
            name="experimentalFeature/list",
            params=catalog.ExperimentalFeatureListParams,
            result=catalog.ExperimentalFeatureListResponse,
        ),
        Method(name="account/login/start", params=account.LoginAccountParams, result=account.LoginAccountResponse),
        Method(name="account/logout", params=account.LogoutAccountParams, result=Empty, may_omit_params=True),
        Method(name="account/read", params=account.GetAccountParams, result=account.GetAccountResponse),
    )
}
"""What a client can ask, by name."""

SERVER_REQUESTS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        Method(
            name="item/commandExecution/requestApproval",
            params=approvals.CommandExecutionRequestApprovalParams,
            result=approvals.CommandExecutionRequestApprovalResponse,
            experimental_fields=("additionalPermissions", "availableDecisions"),
        ),
        Method(
            name="item/fileChange/requestApproval",
            params=approvals.FileChangeRequestApprovalParams,
            result=approvals.FileChangeRequestApprovalResponse,
        ),
    )
}
"""What a client can be asked, by name."""

CLIENT_NOTIFICATIONS: Final[dict[str, Told]] = {"initialized": Told(name="initialized", params=None)}
"""What a client can tell, by name."""

NOTIFICATIONS: Final[dict[str, Told]] = {
    told.name: told
    for told in (
        Told(name="error", params=notifications.ErrorNotification),
        Told(name="warning", params=notifications.WarningNotification),
        Told(name="thread/started", params=notifications.ThreadStartedNotification),
        Told(name="thread/status/changed", params=notifications.ThreadStatusChangedNotification),
        Told(name="thread/closed", params=notifications.ThreadClosedNotification),
        Told(name="thread/archived", params=notifications.ThreadArchivedNotification),
        Told(name="thread/unarchived", params=notifications.ThreadUnarchivedNotification),
        Told(name="thread/name/updated", params=notifications.ThreadNameUpdatedNotification),
        Told(name="thread/tokenUsage/updated", params=notifications.ThreadTokenUsageUpdatedNotification),
        Told(name="turn/started", params=notifications.TurnStartedNotification),
        Told(name="turn/completed", params=notifications.TurnCompletedNotification),
        Told(name="item/started", params=notifications.ItemStartedNotification),
        Told(name="item/completed", params=notifications.ItemCompletedNotification),
        Told(name="item/agentMessage/delta", params=notifications.AgentMessageDeltaNotification),
        Told(
            name="item/reasoning/summaryPartAdded",
            params=notifications.ReasoningSummaryPartAddedNotification,
        ),
        Told(
            name="item/reasoning/summaryTextDelta",
            params=notifications.ReasoningSummaryTextDeltaNotification,
        ),
        Told(name="item/commandExecution/outputDelta", params=notifications.CommandExecutionOutputDeltaNotification),
        Told(name="serverRequest/resolved", params=approvals.ServerRequestResolvedNotification),
        Told(name="account/login/completed", params=account.AccountLoginCompletedNotification),
        Told(name="account/updated", params=account.AccountUpdatedNotification),
        Told(name="thread/realtime/started", params=realtime.ThreadRealtimeStartedNotification),
        Told(name="thread/realtime/itemAdded", params=realtime.ThreadRealtimeItemAddedNotification),
        Told(name="thread/realtime/item/started", params=realtime.ThreadRealtimeItemStartedNotification),
        Told(
            name="thread/realtime/item/transcript/delta", params=realtime.ThreadRealtimeItemTranscriptDeltaNotification
        ),
        Told(name="thread/realtime/item/completed", params=realtime.ThreadRealtimeItemCompletedNotification),
        Told(name="thread/realtime/transcript/delta", params=realtime.ThreadRealtimeTranscriptDeltaNotification),
        Told(name="thread/realtime/transcript/done", params=realtime.ThreadRealtimeTranscriptDoneNotification),
        Told(name="thread/realtime/outputAudio/delta", params=realtime.ThreadRealtimeOutputAudioDeltaNotification),
        Told(name="thread/realtime/sdp", params=realtime.ThreadRealtimeSdpNotification),
        Told(name="thread/realtime/error", params=realtime.ThreadRealtimeErrorNotification),
        Told(name="thread/realtime/closed", params=realtime.ThreadRealtimeClosedNotification),
        Told(name="thread/realtime/warning", params=realtime.ThreadRealtimeWarningNotification, is_ours=True),
        Told(name="thread/realtime/reconnecting", params=realtime.ThreadRealtimeReconnectingNotification, is_ours=True),
        Told(name="thread/realtime/reconnected", params=realtime.ThreadRealtimeReconnectedNotification, is_ours=True),
    )
}
"""What a client can be told, by name."""

_PARAMS_DECODERS: Final[dict[str, msgspec.json.Decoder[msgspec.Struct]]] = {
    name: msgspec.json.Decoder(method.params) for name, method in METHODS.items()
}
_ANSWER_DECODERS: Final = {name: msgspec.json.Decoder(method.result) for name, method in SERVER_REQUESTS.items()}


_UNUSED: Final = (None, False, NULL)
"""Values of a field that say the same as leaving it out."""


def decode_params(method: str, params: Raw | UnsetType) -> msgspec.Struct | RpcError:
    """The parameters of a request as the method's struct, or the error that it is answered with."""
    decoder = _PARAMS_DECODERS.get(method)
    if decoder is None:
        return invalid_request(unknown_variant(method, list(METHODS)))
    given = NULL if isinstance(params, UnsetType) else params
    try:
        return decoder.decode(given)
    except REFUSALS:
        known = METHODS[method]
        if known.may_omit_params and given == NULL:
            return decoder.decode(b"{}")
        return read_again(decoder, known.params, given)


def decode_answer(method: str, result: Raw) -> msgspec.Struct | RpcError:
    """A client's answer to a request of ours as the method's struct, or what is wrong with it.

    Raises:
        KeyError: There is no such request in `SERVER_REQUESTS`.
    """
    decoder = _ANSWER_DECODERS[method]
    try:
        return decoder.decode(result)
    except REFUSALS:
        return read_again(decoder, SERVER_REQUESTS[method].result, result)


def requires_experimental_api(method: str, params: msgspec.Struct) -> RpcError | None:
    """The error for a client without that capability, or None when the request needs none.

    Raises:
        KeyError: There is no such method in `METHODS`.
    """
    used = _experimental_part(METHODS[method], params)
    return None if used is None else RpcError(INVALID_REQUEST, f"{used} requires experimentalApi capability")


def _experimental_part(method: Method, params: msgspec.Struct) -> str | None:
    if method.is_experimental:
        return method.name
    for name, encoded in zip(params.__struct_fields__, params.__struct_encode_fields__, strict=True):
        value = getattr(params, name)
        if isinstance(value, GranularApproval):
            return "askForApproval.granular"
        if encoded in method.experimental_fields and value not in _UNUSED:
            return f"{method.name}.{encoded}"
    return None


def without_experimental_fields(method: str, params: msgspec.Struct) -> msgspec.Struct:
    """A request of ours as a client gets it that has not the capability `experimentalApi`.

    Raises:
        KeyError: There is no such request in `SERVER_REQUESTS`.
    """
    experimental = SERVER_REQUESTS[method].experimental_fields
    names = zip(params.__struct_fields__, params.__struct_encode_fields__, strict=True)
    return msgspec.structs.replace(params, **{name: UNSET for name, encoded in names if encoded in experimental})
