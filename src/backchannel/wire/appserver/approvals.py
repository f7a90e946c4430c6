"""What the server asks the client: whether the agent may do something.

Source: the reference's own schema.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from backchannel.wire.appserver.items import CommandAction
from backchannel.wire.appserver.shapes import Int64, Shape, Variant
from backchannel.wire.jsonrpc import RequestId

__all__ = [
    "AcceptWithExecpolicyAmendment",
    "ApplyNetworkPolicyAmendment",
    "CommandExecutionApprovalDecision",
    "CommandExecutionApprovalKind",
    "CommandExecutionRequestApprovalParams",
    "CommandExecutionRequestApprovalResponse",
    "DecisionDetail",
    "FileChangeApprovalDecision",
    "FileChangeRequestApprovalParams",
    "FileChangeRequestApprovalResponse",
    "NetworkApprovalContext",
    "NetworkPolicyAmendment",
    "ServerRequestResolvedNotification",
]

CommandExecutionApprovalKind: TypeAlias = Literal["command", "humanCommand", "writeStdin"]
FileChangeApprovalDecision: TypeAlias = Literal["accept", "acceptForSession", "decline", "cancel"]


class NetworkApprovalContext(Shape, frozen=True, kw_only=True):
    """Where a command wants to connect to."""

    host: str
    protocol: Literal["http", "https", "socks5Tcp", "socks5Udp"]


class NetworkPolicyAmendment(Shape, frozen=True, kw_only=True):
    """A rule about a host."""

    host: str
    action: Literal["allow", "deny"]


class AcceptWithExecpolicyAmendment(msgspec.Struct, frozen=True, kw_only=True):
    """Commands that begin like this need no asking any more."""

    execpolicy_amendment: tuple[str, ...]


class ApplyNetworkPolicyAmendment(msgspec.Struct, frozen=True, kw_only=True):
    """A rule about a host is kept."""

    network_policy_amendment: NetworkPolicyAmendment


class DecisionDetail(Variant, frozen=True, kw_only=True):
    """A decision that has more to say than its name."""

    accept_with_execpolicy_amendment: AcceptWithExecpolicyAmendment | UnsetType = UNSET
    apply_network_policy_amendment: ApplyNetworkPolicyAmendment | UnsetType = UNSET


CommandExecutionApprovalDecision: TypeAlias = (
    Literal["accept", "acceptForSession", "decline", "cancel"] | DecisionDetail
)


class CommandExecutionRequestApprovalParams(Shape, frozen=True, kw_only=True):
    """May the agent run this command?"""

    kind: CommandExecutionApprovalKind = "command"
    thread_id: str
    turn_id: str
    item_id: str
    started_at_ms: Int64
    approval_id: str | UnsetType | None = UNSET
    """Which of several requests for one item this is."""
    environment_id: str | None = None
    reason: str | UnsetType | None = UNSET
    network_approval_context: NetworkApprovalContext | UnsetType | None = UNSET
    command: str | UnsetType | None = UNSET
    cwd: str | UnsetType | None = UNSET
    command_actions: tuple[CommandAction, ...] | UnsetType | None = UNSET
    additional_permissions: Raw | UnsetType = UNSET
    proposed_execpolicy_amendment: tuple[str, ...] | UnsetType | None = UNSET
    proposed_network_policy_amendments: tuple[NetworkPolicyAmendment, ...] | UnsetType | None = UNSET
    available_decisions: tuple[CommandExecutionApprovalDecision, ...] | UnsetType | None = UNSET
    """The answers that are taken, in the order in which they are to be offered."""


class CommandExecutionRequestApprovalResponse(Shape, frozen=True, kw_only=True):
    """What the user says to a command."""

    decision: CommandExecutionApprovalDecision


class FileChangeRequestApprovalParams(Shape, frozen=True, kw_only=True):
    """May the agent change these files?"""

    thread_id: str
    turn_id: str
    item_id: str
    started_at_ms: Int64
    reason: str | UnsetType | None = UNSET
    grant_root: str | UnsetType | None = UNSET
    """The folder that the agent may write to for the rest of the session, if it is accepted."""


class FileChangeRequestApprovalResponse(Shape, frozen=True, kw_only=True):
    """What the user says to a change."""

    decision: FileChangeApprovalDecision


class ServerRequestResolvedNotification(Shape, frozen=True, kw_only=True):
    """A request needs no answer any more: there is one, or the turn is over."""

    thread_id: str
    request_id: RequestId
