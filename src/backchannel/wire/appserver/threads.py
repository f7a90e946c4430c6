"""Threads: what is worked on in one place, turn after turn. Source: app-server.md 1.5."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from backchannel.wire.appserver.turns import Turn

__all__ = [
    "ActiveStatus",
    "GitInfo",
    "IdleStatus",
    "LoadedListParams",
    "LoadedListResult",
    "NotLoadedStatus",
    "Sandbox",
    "SystemErrorStatus",
    "Thread",
    "ThreadClosed",
    "ThreadForkParams",
    "ThreadIdParams",
    "ThreadListParams",
    "ThreadListResult",
    "ThreadNameParams",
    "ThreadNameUpdated",
    "ThreadReadParams",
    "ThreadReadResult",
    "ThreadResult",
    "ThreadResumeParams",
    "ThreadStartParams",
    "ThreadStarted",
    "ThreadStatus",
    "ThreadStatusChanged",
    "UnarchiveResult",
    "UnsubscribeResult",
]


class NotLoadedStatus(msgspec.Struct, frozen=True, tag="notLoaded"):
    """It is only stored."""


class IdleStatus(msgspec.Struct, frozen=True, tag="idle"):
    """It waits for work."""


class SystemErrorStatus(msgspec.Struct, frozen=True, tag="systemError"):
    """Something went wrong in it."""


class ActiveStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="active"):
    """A turn runs."""

    active_flags: tuple[Literal["waitingOnApproval", "waitingOnUserInput"], ...] = ()


ThreadStatus: TypeAlias = NotLoadedStatus | IdleStatus | SystemErrorStatus | ActiveStatus


class GitInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of the repository around it."""

    sha: str | None = None
    branch: str | None = None
    origin_url: str | None = None

    def __repr__(self) -> str:
        """Without what must not be logged."""
        return "GitInfo(...)"


class Thread(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A thread. Times are in seconds since the epoch."""

    id: str
    session_id: str
    preview: str
    ephemeral: bool
    model_provider: str
    created_at: int
    updated_at: int
    status: ThreadStatus
    cwd: str
    cli_version: str
    source: str = "vscode"
    turns: tuple[Turn, ...] = ()
    history_mode: str = "paginated"
    name: str | None = None
    path: str | None = None
    git_info: GitInfo | None = None
    model: str | None = None
    reasoning_effort: str | None = None
    recency_at: int | None = None
    originator: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    attached_to_thread_id: str | None = None
    project_id: str | None = None
    thread_source: str | None = None
    section: None = None
    section_entered_at: None = None
    environments: None = None
    extra: None = None
    agent_nickname: None = None
    agent_role: None = None
    can_accept_direct_input: bool | None = None
    daybreak_enabled: None = None


class ThreadStartParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Begin a thread."""

    cwd: str | None = None
    model: str | None = None
    model_provider: str | None = None
    approval_policy: object = None
    sandbox: str | None = None
    ephemeral: bool | None = None
    developer_instructions: str | None = None
    base_instructions: str | None = None
    mock_experimental_field: str | None = None
    dynamic_tools: object = None
    environments: object = None
    history_mode: str | None = None
    experimental_raw_events: bool = False


class ThreadResumeParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Load a stored thread, or join one that is loaded."""

    thread_id: str
    cwd: str | None = None
    model: str | None = None
    exclude_turns: bool = False


class ThreadForkParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Begin a thread with the history of another."""

    thread_id: str
    cwd: str | None = None
    model: str | None = None
    ephemeral: bool = False
    exclude_turns: bool = False


class Sandbox(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the agent's commands may do."""

    type: str
    network_access: bool | None = None
    writable_roots: tuple[str, ...] | None = None
    exclude_tmpdir_env_var: bool | None = None
    exclude_slash_tmp: bool | None = None


class ThreadResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A thread that is loaded now, and how it works."""

    thread: Thread
    model: str
    model_provider: str
    cwd: str
    approval_policy: str
    sandbox: Sandbox
    service_tier: str | None = None
    runtime_workspace_roots: tuple[str, ...] = ()
    instruction_sources: tuple[str, ...] = ()
    approvals_reviewer: str = "user"
    active_permission_profile: None = None
    reasoning_effort: str | None = None
    multi_agent_mode: str = "explicitRequestOnly"
    disabled_plugin_ids: tuple[str, ...] = ()
    collaboration_mode: None = None
    initial_turns_page: None = None
    turns_backwards_cursor: str | None = None
    items_backwards_cursor: str | None = None


class ThreadListParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which threads there are."""

    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None
    sort_key: Literal["created_at", "updated_at", "recency_at", "section_position"] | None = None
    sort_direction: Literal["asc", "desc"] | None = None
    archived: bool | None = None
    cwd: str | tuple[str, ...] | None = None
    search_term: str | None = None


class ThreadListResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of them."""

    data: tuple[Thread, ...]
    next_cursor: str | None = None
    backwards_cursor: str | None = None
    read_states: None = None


class ThreadReadParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is stored of a thread."""

    thread_id: str
    include_turns: bool = False


class ThreadReadResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The thread."""

    thread: Thread
    read_state: None = None


class LoadedListParams(msgspec.Struct, frozen=True, kw_only=True):
    """Which threads are loaded."""

    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None


class LoadedListResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Their ids."""

    data: tuple[str, ...]
    next_cursor: str | None = None


class ThreadIdParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A thread."""

    thread_id: str


class ThreadNameParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Name a thread."""

    thread_id: str
    name: str


class UnarchiveResult(msgspec.Struct, frozen=True, kw_only=True):
    """The thread that is in the list again."""

    thread: Thread


class UnsubscribeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    status: Literal["notLoaded", "notSubscribed", "unsubscribed"]


class ThreadStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A thread is loaded."""

    thread: Thread


class ThreadStatusChanged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a thread stands has changed."""

    thread_id: str
    status: ThreadStatus


class ThreadClosed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A thread is not loaded any more."""

    thread_id: str


class ThreadNameUpdated(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A thread was named."""

    thread_id: str
    thread_name: str | None = None
