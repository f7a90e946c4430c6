"""What a thread or a turn is run with: who is asked, what is allowed, how hard it is thought.

Source: app-server.md 1.5 and 1.6; the reference's own schema.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from backchannel.wire.appserver.shapes import Shape, Variant

__all__ = [
    "ActivePermissionProfile",
    "ApprovalsReviewer",
    "AskForApproval",
    "CustomMode",
    "DangerFullAccess",
    "ExternalSandbox",
    "GranularApproval",
    "GranularRules",
    "MultiAgentMode",
    "Personality",
    "ReadOnly",
    "ReasoningEffort",
    "ReasoningSummary",
    "SandboxMode",
    "SandboxPolicy",
    "SortDirection",
    "ThreadHistoryMode",
    "WorkspaceWrite",
]

ApprovalsReviewer: TypeAlias = Literal["user", "auto_review", "guardian_subagent"]
ReasoningEffort: TypeAlias = str
ReasoningSummary: TypeAlias = Literal["auto", "concise", "detailed", "none"]
Personality: TypeAlias = Literal["none", "friendly", "pragmatic"]
SandboxMode: TypeAlias = Literal["read-only", "workspace-write", "danger-full-access"]
SortDirection: TypeAlias = Literal["asc", "desc"]
ThreadHistoryMode: TypeAlias = Literal["legacy", "paginated"]


class GranularRules(msgspec.Struct, frozen=True, kw_only=True):
    """Which sorts of requests are put to the user; the others are declined."""

    sandbox_approval: bool
    rules: bool
    skill_approval: bool = False
    request_permissions: bool = False
    mcp_elicitations: bool


class GranularApproval(Variant, frozen=True, kw_only=True):
    """When the user is asked, for each sort of request."""

    granular: GranularRules


AskForApproval: TypeAlias = Literal["untrusted", "on-request", "never"] | GranularApproval


class CustomMode(Variant, frozen=True, kw_only=True):
    """Instructions of one's own on when other agents are employed."""

    custom: str


MultiAgentMode: TypeAlias = Literal["explicitRequestOnly", "proactive"] | CustomMode


class DangerFullAccess(Shape, frozen=True, kw_only=True, tag_field="type", tag="dangerFullAccess"):
    """Commands may do everything."""


class ReadOnly(Shape, frozen=True, kw_only=True, tag_field="type", tag="readOnly"):
    """Commands may read."""

    network_access: bool = False


class ExternalSandbox(Shape, frozen=True, kw_only=True, tag_field="type", tag="externalSandbox"):
    """Something outside confines the whole program."""

    network_access: Literal["restricted", "enabled"] = "restricted"


class WorkspaceWrite(Shape, frozen=True, kw_only=True, tag_field="type", tag="workspaceWrite"):
    """Commands may write inside the workspace."""

    writable_roots: tuple[str, ...] = ()
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False


SandboxPolicy: TypeAlias = DangerFullAccess | ReadOnly | ExternalSandbox | WorkspaceWrite


class ActivePermissionProfile(Shape, frozen=True, kw_only=True):
    """The named permissions that a thread runs with."""

    id: str
    extends: str | None = None
