"""How the agent of a thread works: what is configured, and what a client wants otherwise for its thread.

Of what the protocol has, those that our agents follow are taken; one that they cannot follow is refused where it would
let them do more or work elsewhere, and passed over where it only asks for less, or for something that nobody sees.

Source: app-server.md 1.5, 1.6 and 2.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from backchannel.config import Model
from backchannel.server.methods import Refused
from backchannel.wire import appserver

if TYPE_CHECKING:
    from backchannel.threads import Entry, Thread

__all__ = ["Assignment", "changed_by_turn", "changed_for_thread", "seen_policy", "seen_sandbox"]

_Params: TypeAlias = appserver.ThreadStartParams | appserver.ThreadResumeParams | appserver.ThreadForkParams

_MODES: Final[dict[type[msgspec.Struct], str]] = {
    appserver.ReadOnly: "read-only",
    appserver.WorkspaceWrite: "workspace-write",
    appserver.DangerFullAccess: "danger-full-access",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What an agent is made for."""

    thread: Thread
    settings: Model
    earlier: tuple[Entry, ...] = ()
    """What is kept of the thread."""


def changed_for_thread(settings: Model, params: _Params) -> Model:
    """The settings of a thread that a client begins or goes on with.

    Raises:
        Refused: The client wants what there is not.
    """
    changes: dict[str, object] = {}
    for name in Model.__struct_fields__:
        given = (params.config or {}).get(name)
        if given is not None:
            changes[name] = msgspec.json.decode(given)
    named = {
        "model": params.model,
        "approval_policy": _policy(params.approval_policy),
        "sandbox_mode": params.sandbox,
        "base_instructions": params.base_instructions,
        "developer_instructions": params.developer_instructions,
    }
    return _changed(settings, changes | {name: value for name, value in named.items() if value is not None})


def changed_by_turn(settings: Model, params: appserver.TurnStartParams) -> Model:
    """The settings from a turn on.

    Raises:
        Refused: The client wants what there is not.
    """
    named = {
        "model": params.model,
        "model_reasoning_effort": params.effort,
        "model_reasoning_summary": params.summary,
        "approval_policy": _policy(params.approval_policy),
        "sandbox_mode": _mode(params.sandbox_policy),
    }
    return _changed(settings, {name: value for name, value in named.items() if value is not None})


def seen_policy(settings: Model) -> appserver.AskForApproval:
    """When the user is asked, in the words of the protocol, which has no `on-failure`."""
    return "on-request" if settings.approval_policy == "on-failure" else settings.approval_policy


def seen_sandbox(settings: Model) -> appserver.SandboxPolicy:
    """What commands may do, in the words of the protocol."""
    match settings.sandbox_mode:
        case "read-only":
            return appserver.ReadOnly()
        case "workspace-write":
            return appserver.WorkspaceWrite()
        case "danger-full-access":
            return appserver.DangerFullAccess()


def _changed(settings: Model, changes: dict[str, object]) -> Model:
    if not changes:
        return settings
    try:
        return msgspec.convert({**msgspec.to_builtins(settings), **changes}, Model)
    except msgspec.ValidationError as exc:
        raise Refused(f"these settings of the agent cannot be used: {exc}") from None


def _policy(wanted: appserver.AskForApproval | None) -> str | None:
    if isinstance(wanted, appserver.GranularApproval):
        raise Refused(
            "expected the approval policy untrusted, on-request or never, got a granular one, which is not known"
        )
    return wanted


def _mode(wanted: appserver.SandboxPolicy | None) -> str | None:
    if isinstance(wanted, appserver.ExternalSandbox):
        raise Refused("expected the sandbox policy readOnly, workspaceWrite or dangerFullAccess, got externalSandbox")
    return None if wanted is None else _MODES[type(wanted)]
