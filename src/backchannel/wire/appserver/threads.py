"""Threads: conversations with the agent, which are kept, found again, continued and branched.

The file is long because starting, continuing and branching a thread take nearly the same settings, which are best seen
side by side.

Source: app-server.md 1.5 and 6.2; the reference's own schema.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Raw, UnsetType, field

from backchannel.wire.appserver.settings import (
    ActivePermissionProfile,
    ApprovalsReviewer,
    AskForApproval,
    MultiAgentMode,
    Personality,
    ReasoningEffort,
    SandboxMode,
    SandboxPolicy,
    SortDirection,
    ThreadHistoryMode,
)
from backchannel.wire.appserver.shapes import U32, Discreet, Int64, Params, Shape, Variant, null
from backchannel.wire.appserver.turns import Turn, TurnItemsView

__all__ = [
    "ActiveStatus",
    "GitInfo",
    "IdleStatus",
    "NotLoadedStatus",
    "SessionSource",
    "SourceDetail",
    "SystemErrorStatus",
    "Thread",
    "ThreadActiveFlag",
    "ThreadArchiveParams",
    "ThreadForkParams",
    "ThreadForkResponse",
    "ThreadListParams",
    "ThreadListResponse",
    "ThreadLoadedListParams",
    "ThreadLoadedListResponse",
    "ThreadReadParams",
    "ThreadReadResponse",
    "ThreadResumeInitialTurnsPageParams",
    "ThreadResumeParams",
    "ThreadResumeResponse",
    "ThreadSetNameParams",
    "ThreadSortKey",
    "ThreadSourceKind",
    "ThreadStartParams",
    "ThreadStartResponse",
    "ThreadStatus",
    "ThreadUnarchiveParams",
    "ThreadUnarchiveResponse",
    "ThreadUnsubscribeParams",
    "ThreadUnsubscribeResponse",
    "ThreadUnsubscribeStatus",
    "TurnsPage",
]

ThreadActiveFlag: TypeAlias = Literal["waitingOnApproval", "waitingOnUserInput"]
ThreadSortKey: TypeAlias = Literal["created_at", "updated_at", "recency_at", "section_position"]
ThreadSourceKind: TypeAlias = Literal[
    "cli",
    "vscode",
    "exec",
    "appServer",
    "subAgent",
    "subAgentReview",
    "subAgentCompact",
    "subAgentThreadSpawn",
    "subAgentOther",
    "unknown",
]
ThreadUnsubscribeStatus: TypeAlias = Literal["notLoaded", "notSubscribed", "unsubscribed"]


class NotLoadedStatus(Shape, frozen=True, kw_only=True, tag_field="type", tag="notLoaded"):
    """The thread is only in the store."""


class IdleStatus(Shape, frozen=True, kw_only=True, tag_field="type", tag="idle"):
    """The thread waits for something to do."""


class SystemErrorStatus(Shape, frozen=True, kw_only=True, tag_field="type", tag="systemError"):
    """Something went wrong that was not the agent's work."""


class ActiveStatus(Shape, frozen=True, kw_only=True, tag_field="type", tag="active"):
    """A turn runs."""

    active_flags: tuple[ThreadActiveFlag, ...] = ()
    """What it waits for."""


ThreadStatus: TypeAlias = NotLoadedStatus | IdleStatus | SystemErrorStatus | ActiveStatus


class SourceDetail(Variant, frozen=True, kw_only=True):
    """A client that has a name of its own, or another agent."""

    custom: str | UnsetType = UNSET
    sub_agent: Raw | UnsetType = UNSET


SessionSource: TypeAlias = Literal["cli", "vscode", "exec", "appServer", "unknown"] | SourceDetail


class GitInfo(Discreet, Shape, frozen=True, kw_only=True):
    """The state of the repository when the thread began."""

    sha: str | None = None
    branch: str | None = None
    origin_url: str | None = None


class Thread(Shape, frozen=True, kw_only=True):
    """A thread."""

    id: str
    """A UUID, version 7."""
    environments: tuple[Raw, ...] | None = None
    extra: Raw = field(default_factory=null)
    session_id: str
    """The id of the first thread that this one goes back to."""
    forked_from_id: str | None = None
    attached_to_thread_id: str | None = None
    parent_thread_id: str | None = None
    preview: str = ""
    """How its first message begins."""
    ephemeral: bool
    """Whether it is kept only as long as the server runs."""
    section: Raw = field(default_factory=null)
    section_entered_at: Int64 | None = None
    project_id: str | None = None
    history_mode: ThreadHistoryMode = "legacy"
    model_provider: str
    model: str | None = None
    reasoning_effort: ReasoningEffort | None = None
    created_at: Int64
    """Unix seconds."""
    updated_at: Int64
    """Unix seconds."""
    recency_at: Int64 | None = None
    """Unix seconds; by what lists are sorted that shall not move at every change."""
    status: ThreadStatus
    path: str | None = None
    """Where it is kept, for kinds of storage in which a thread is a file."""
    cwd: str
    cli_version: str
    originator: str | None = None
    source: SessionSource
    can_accept_direct_input: bool | None = None
    thread_source: str | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None
    git_info: GitInfo | None = None
    name: str | None = None
    daybreak_enabled: bool | None = None
    turns: tuple[Turn, ...] = ()
    """Only where turns were asked for."""


# Starting and continuing


class ThreadStartParams(Params, frozen=True, kw_only=True):
    """Begin a thread. Whatever is not given is as configured."""

    model: str | None = None
    model_provider: str | None = None
    allow_provider_model_fallback: bool = False
    service_tier: str | None = None
    cwd: str | None = None
    runtime_workspace_roots: tuple[str, ...] | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    permissions: str | None = None
    config: dict[str, Raw] | None = None
    """Keys of the configuration, with dots, and their values for this thread."""
    service_name: str | None = None
    base_instructions: str | None = None
    developer_instructions: str | None = None
    personality: Personality | None = None
    multi_agent_mode: MultiAgentMode | None = None
    ephemeral: bool | None = None
    history_mode: ThreadHistoryMode | None = None
    session_start_source: Literal["startup", "clear"] | None = None
    thread_source: str | None = None
    project_id: str | None = None
    daybreak_enabled: bool | None = None
    environments: tuple[Raw, ...] | None = None
    dynamic_tools: tuple[Raw, ...] | None = None
    selected_capability_roots: tuple[Raw, ...] | None = None
    mock_experimental_field: str | None = None
    experimental_raw_events: bool = False


class ThreadStartResponse(Shape, frozen=True, kw_only=True):
    """The thread, and what it runs with."""

    thread: Thread
    model: str
    model_provider: str
    service_tier: str | None = None
    disabled_plugin_ids: tuple[str, ...] = ()
    cwd: str
    runtime_workspace_roots: tuple[str, ...] = ()
    instruction_sources: tuple[str, ...] = ()
    approval_policy: AskForApproval
    approvals_reviewer: ApprovalsReviewer
    sandbox: SandboxPolicy
    active_permission_profile: ActivePermissionProfile | None = None
    reasoning_effort: ReasoningEffort | None = None
    multi_agent_mode: MultiAgentMode = "explicitRequestOnly"


class ThreadResumeInitialTurnsPageParams(Params, frozen=True, kw_only=True):
    """How many of the turns come with the answer."""

    limit: U32 | None = None
    sort_direction: SortDirection | None = None
    items_view: TurnItemsView | None = None


class ThreadResumeParams(Params, frozen=True, kw_only=True):
    """Go on with a thread."""

    thread_id: str
    history: tuple[Raw, ...] | None = None
    path: str | None = None
    model: str | None = None
    model_provider: str | None = None
    service_tier: str | None = None
    cwd: str | None = None
    runtime_workspace_roots: tuple[str, ...] | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    permissions: str | None = None
    config: dict[str, Raw] | None = None
    """Keys of the configuration, with dots, and their values for this thread."""
    base_instructions: str | None = None
    developer_instructions: str | None = None
    personality: Personality | None = None
    exclude_turns: bool = False
    """Whether `thread.turns` stays empty."""
    initial_turns_page: ThreadResumeInitialTurnsPageParams | None = None


class TurnsPage(Shape, frozen=True, kw_only=True):
    """Some of a thread's turns."""

    data: tuple[Turn, ...]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


class ThreadResumeResponse(ThreadStartResponse, frozen=True, kw_only=True):
    """The thread, and what it runs with."""

    collaboration_mode: Raw = field(default_factory=null)
    initial_turns_page: TurnsPage | None = None
    turns_backwards_cursor: str | None = None
    items_backwards_cursor: str | None = None


class ThreadForkParams(Params, frozen=True, kw_only=True):
    """Begin a thread that has the beginning of another one."""

    thread_id: str
    experimental_prediction_mode: bool = False
    experimental_disable_prediction_mcp: bool = False
    last_turn_id: str | None = None
    """The last turn that is taken over; omitted takes all of them."""
    before_turn_id: str | None = None
    """The first turn that is not taken over, instead."""
    path: str | None = None
    model: str | None = None
    model_provider: str | None = None
    service_tier: str | None = None
    cwd: str | None = None
    runtime_workspace_roots: tuple[str, ...] | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    permissions: str | None = None
    config: dict[str, Raw] | None = None
    """Keys of the configuration, with dots, and their values for this thread."""
    base_instructions: str | None = None
    developer_instructions: str | None = None
    ephemeral: bool = False
    attach_to_source: bool = False
    thread_source: str | None = None
    exclude_turns: bool = False
    """Whether `thread.turns` stays empty."""
    defer_goal_continuation: bool = False


class ThreadForkResponse(ThreadStartResponse, frozen=True, kw_only=True):
    """The new thread, and what it runs with."""


# Looking


class ThreadReadParams(Params, frozen=True, kw_only=True):
    """Look at a thread without loading it."""

    thread_id: str
    include_turns: bool = False


class ThreadReadResponse(Shape, frozen=True, kw_only=True):
    """The thread."""

    thread: Thread
    read_state: Raw = field(default_factory=null)


class ThreadListParams(Params, frozen=True, kw_only=True):
    """Look for threads."""

    cursor: str | None = None
    """Where to go on; from an earlier answer."""
    limit: U32 | None = None
    sort_key: ThreadSortKey | None = None
    """Omitted means `created_at`."""
    sort_direction: SortDirection | None = None
    """Omitted means `desc`."""
    model_providers: tuple[str, ...] | None = None
    """Omitted means the configured one, an empty list all."""
    source_kinds: tuple[ThreadSourceKind, ...] | None = None
    """Omitted or empty means those that a person began."""
    originators: tuple[str, ...] | None = None
    """Only those that clients of one of these names began; omitted or empty means any."""
    archived: bool | None = None
    """Whether only archived threads are meant, instead of only the others."""
    cwd: str | tuple[str, ...] | None = None
    """Only threads of exactly this folder, or of one of these."""
    search_term: str | None = None
    """Only threads with this in their title."""
    excluded_thread_ids: tuple[str, ...] | None = None
    """Not these."""
    section_id: str | None = None
    project_id: str | None = None
    parent_thread_id: str | None = None
    ancestor_thread_id: str | None = None
    attached_to_thread_id: str | None = None
    include_attached_threads: bool = False
    current_account_only: bool = False
    use_state_db_only: bool = False


class ThreadListResponse(Shape, frozen=True, kw_only=True):
    """A page of threads."""

    data: tuple[Thread, ...]
    read_states: dict[str, Raw] | None = None
    next_cursor: str | None = None
    backwards_cursor: str | None = None


class ThreadLoadedListParams(Params, frozen=True, kw_only=True):
    """Ask which threads are loaded."""

    cursor: str | None = None
    limit: U32 | None = None


class ThreadLoadedListResponse(Shape, frozen=True, kw_only=True):
    """The ids of loaded threads."""

    data: tuple[str, ...]
    next_cursor: str | None = None


# Changing


class ThreadSetNameParams(Params, frozen=True, kw_only=True):
    """Give a thread a name."""

    thread_id: str
    name: str


class ThreadArchiveParams(Params, frozen=True, kw_only=True):
    """Put a thread away: its conversation and its turn end, and it is not loaded any more."""

    thread_id: str


class ThreadUnarchiveParams(Params, frozen=True, kw_only=True):
    """Take a thread out again."""

    thread_id: str


class ThreadUnarchiveResponse(Shape, frozen=True, kw_only=True):
    """The thread."""

    thread: Thread


class ThreadUnsubscribeParams(Params, frozen=True, kw_only=True):
    """Hear no more of a thread."""

    thread_id: str


class ThreadUnsubscribeResponse(Shape, frozen=True, kw_only=True):
    """Whether anything was heard of it before."""

    status: ThreadUnsubscribeStatus
