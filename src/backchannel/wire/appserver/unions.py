"""The names of what can be one of several things, which Python's unions do not have of their own."""

from __future__ import annotations

import typing
from typing import Final

import msgspec

from backchannel.wire.appserver.account import Account, LoginAccountParams
from backchannel.wire.appserver.approvals import CommandExecutionApprovalDecision
from backchannel.wire.appserver.items import CommandAction, PatchChangeKind, ThreadItem, UserInput
from backchannel.wire.appserver.realtime import (
    ThreadRealtimeBemItemPresentation,
    ThreadRealtimeItem,
    ThreadRealtimeStartTransport,
)
from backchannel.wire.appserver.settings import AskForApproval, MultiAgentMode, SandboxPolicy
from backchannel.wire.appserver.threads import SessionSource, ThreadStatus
from backchannel.wire.appserver.turns import CodexErrorInfo

__all__ = ["UNIONS", "struct_kinds", "union_name"]

UNIONS: Final[dict[str, object]] = {
    "Account": Account,
    "AskForApproval": AskForApproval,
    "CodexErrorInfo": CodexErrorInfo,
    "CommandAction": CommandAction,
    "CommandExecutionApprovalDecision": CommandExecutionApprovalDecision,
    "LoginAccountParams": LoginAccountParams,
    "MultiAgentMode": MultiAgentMode,
    "PatchChangeKind": PatchChangeKind,
    "SandboxPolicy": SandboxPolicy,
    "SessionSource": SessionSource,
    "ThreadItem": ThreadItem,
    "ThreadRealtimeBemItemPresentation": ThreadRealtimeBemItemPresentation,
    "ThreadRealtimeItem": ThreadRealtimeItem,
    "ThreadRealtimeStartTransport": ThreadRealtimeStartTransport,
    "ThreadStatus": ThreadStatus,
    "UserInput": UserInput,
}
"""Every union that has a struct in it, by its name in the schema."""


def struct_kinds(union: object) -> frozenset[type[msgspec.Struct]]:
    """The structs that something can be."""
    kinds = typing.get_args(union)
    return frozenset(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct))


_NAMES: Final = {struct_kinds(union): name for name, union in UNIONS.items()}


def union_name(kinds: frozenset[type[msgspec.Struct]]) -> str | None:
    """What the union of these structs, and of whatever names, is called."""
    return _NAMES.get(kinds)
