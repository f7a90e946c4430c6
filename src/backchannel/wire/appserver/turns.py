"""Turns: one piece of the agent's work, from what was asked to how it ended.

Source: app-server.md 1.6 and 5.1; the reference's own schema.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType, field

from backchannel.wire.appserver.items import TextInput, ThreadItem, UserInput
from backchannel.wire.appserver.settings import (
    ApprovalsReviewer,
    AskForApproval,
    MultiAgentMode,
    Personality,
    ReasoningEffort,
    ReasoningSummary,
    SandboxPolicy,
)
from backchannel.wire.appserver.shapes import U16, U32, Int64, Params, Shape, Variant, null
from backchannel.wire.jsonrpc import INVALID_PARAMS, RpcError

__all__ = [
    "MAX_INPUT_CHARS",
    "CodexErrorDetail",
    "CodexErrorInfo",
    "HttpFailure",
    "InputTooLarge",
    "MisalignmentErrorDetails",
    "MisalignmentSteer",
    "NotSteerable",
    "Turn",
    "TurnError",
    "TurnInterruptParams",
    "TurnItemsView",
    "TurnStartParams",
    "TurnStartResponse",
    "TurnStatus",
    "TurnSteerParams",
    "TurnSteerResponse",
    "input_too_large",
]

MAX_INPUT_CHARS: Final = 1_048_576
"""The longest text that one turn takes, in characters (not bytes), over all its inputs."""

TurnStatus: TypeAlias = Literal["inProgress", "completed", "interrupted", "failed"]
TurnItemsView: TypeAlias = Literal["notLoaded", "summary", "full"]


# How a turn goes wrong


class HttpFailure(Shape, frozen=True, kw_only=True):
    """What the server of the model answered, where it did."""

    http_status_code: U16 | None = None


class NotSteerable(Shape, frozen=True, kw_only=True):
    """The turn that runs takes no further input."""

    turn_kind: Literal["review", "compact"]


class CodexErrorDetail(Variant, frozen=True, kw_only=True):
    """A sort of error that has more to say than its name."""

    http_connection_failed: HttpFailure | UnsetType = UNSET
    response_stream_connection_failed: HttpFailure | UnsetType = UNSET
    response_stream_disconnected: HttpFailure | UnsetType = UNSET
    response_too_many_failed_attempts: HttpFailure | UnsetType = UNSET
    active_turn_not_steerable: NotSteerable | UnsetType = UNSET


CodexErrorInfo: TypeAlias = (
    Literal[
        "contextWindowExceeded",
        "sessionBudgetExceeded",
        "usageLimitExceeded",
        "rateLimitExceeded",
        "flexUnavailable",
        "serverOverloaded",
        "modelNotFound",
        "policyCapacityUnavailable",
        "inferenceHookDenied",
        "cyberPolicy",
        "misalignmentPolicyViolation",
        "tooManyDenials",
        "internalServerError",
        "unauthorized",
        "badRequest",
        "threadRollbackFailed",
        "sandboxError",
        "other",
    ]
    | CodexErrorDetail
)


class MisalignmentSteer(Shape, frozen=True, kw_only=True):
    """What may be said to go on after a block."""

    message: str


class MisalignmentErrorDetails(Shape, frozen=True, kw_only=True):
    """Why the model's provider blocked a turn."""

    error_type: str | None = None
    detailed_explanation: str | None = None
    steer: MisalignmentSteer | None = None
    review_target: str | UnsetType | None = UNSET


class TurnError(Shape, frozen=True, kw_only=True):
    """Why a turn failed, or why it has to try again."""

    message: str
    codex_error_info: CodexErrorInfo | None = None
    additional_details: str | None = None
    misalignment: MisalignmentErrorDetails | None = None


class Turn(Shape, frozen=True, kw_only=True):
    """A turn, as much of it as was loaded."""

    id: str
    root_turn_id: str | None = None
    """The first turn of the chain of work that led to this one."""
    items: tuple[ThreadItem, ...] = ()
    items_view: TurnItemsView = "full"
    """How much of the items is here."""
    status: TurnStatus
    error: TurnError | None = None
    started_at: Int64 | None = None
    """Unix seconds."""
    completed_at: Int64 | None = None
    """Unix seconds."""
    duration_ms: Int64 | None = None


# Requests


class TurnStartParams(Params, frozen=True, kw_only=True):
    """Give the agent something to do. While a turn runs, it is added to that turn."""

    thread_id: str
    input: tuple[UserInput, ...]
    client_user_message_id: str | None = None
    responsesapi_client_metadata: dict[str, str] | None = None
    """Goes with every model request of the turn; see below for which keys are taken."""
    responsesapi_client_metadata_patch: dict[str, str] | None = None
    """Added to it afterwards."""
    client_metadata: dict[str, str] | None = None
    """The older spelling of `responsesapiClientMetadata`, which wins over it."""
    turn_trigger: str | None = None
    parent_turn_id: str | None = None
    root_turn_id: str | None = None
    tool_output: Raw = field(default_factory=null)
    cwd: str | None = None
    model: str | None = None
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox_policy: SandboxPolicy | None = None
    personality: Personality | None = None
    service_tier: str | None = None
    service_tier_for_turn: str | None = None
    output_schema: Raw = field(default_factory=null)
    disabled_plugin_ids: tuple[str, ...] | None = None
    additional_context: dict[str, Raw] | None = None
    environments: tuple[Raw, ...] | None = None
    runtime_workspace_roots: tuple[str, ...] | None = None
    permissions: str | None = None
    collaboration_mode: Raw = field(default_factory=null)
    multi_agent_mode: MultiAgentMode | None = None
    cyber_access_program: Raw = field(default_factory=null)

    def __post_init__(self) -> None:
        """Bring the older spelling to the newer one, so that nobody else need know it."""
        _take_older_metadata(self)
        if self.effort == "":
            raise ValueError("reasoning_effort must not be empty")


class TurnStartResponse(Shape, frozen=True, kw_only=True):
    """The turn that took the input."""

    turn: Turn


class TurnSteerParams(Params, frozen=True, kw_only=True):
    """Change what the turn that runs is doing."""

    thread_id: str
    input: tuple[UserInput, ...]
    expected_turn_id: str
    """The turn that is meant; it is an error if another one runs."""
    client_user_message_id: str | None = None
    responsesapi_client_metadata: dict[str, str] | None = None
    """Replaces what was given before; omitted keeps it."""
    responsesapi_client_metadata_patch: dict[str, str] | None = None
    """Added to it afterwards."""
    client_metadata: dict[str, str] | None = None
    """The older spelling of `responsesapiClientMetadata`, which wins over it."""
    additional_context: dict[str, Raw] | None = None

    def __post_init__(self) -> None:
        """Bring the older spelling to the newer one, so that nobody else need know it."""
        _take_older_metadata(self)


class TurnSteerResponse(Shape, frozen=True, kw_only=True):
    """The turn that took the input."""

    turn_id: str


class TurnInterruptParams(Params, frozen=True, kw_only=True):
    """End the turn that runs."""

    thread_id: str
    turn_id: str


def _take_older_metadata(params: TurnStartParams | TurnSteerParams) -> None:
    if params.responsesapi_client_metadata is None:
        msgspec.structs.force_setattr(params, "responsesapi_client_metadata", params.client_metadata)
    msgspec.structs.force_setattr(params, "client_metadata", None)


# Input that is too long


class InputTooLarge(msgspec.Struct, frozen=True, kw_only=True):
    """What the error about it says beside its message."""

    input_error_code: Literal["input_too_large"] = "input_too_large"
    max_chars: U32 = MAX_INPUT_CHARS
    actual_chars: U32


def input_too_large(given: tuple[UserInput, ...]) -> RpcError | None:
    """The error about input of more than `MAX_INPUT_CHARS`; None when it fits."""
    n_chars = sum(len(each.text) for each in given if isinstance(each, TextInput))
    if n_chars <= MAX_INPUT_CHARS:
        return None
    return RpcError(
        INVALID_PARAMS,
        f"Input exceeds the maximum length of {MAX_INPUT_CHARS} characters.",
        Raw(msgspec.json.encode(InputTooLarge(actual_chars=n_chars))),
    )
