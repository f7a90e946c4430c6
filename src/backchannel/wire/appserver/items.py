"""What turns are made of: what the user puts in, and what comes of it.

Of the reference's kinds of items only those are here that an agent of ours can make.

Source: app-server.md 1.6; the reference's own schema.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Raw, UnsetType, field

from backchannel.wire.appserver.shapes import U64, Discreet, Int32, Int64, Shape, null

__all__ = [
    "AgentMessageItem",
    "AudioInput",
    "ByteRange",
    "CommandAction",
    "CommandExecutionItem",
    "CommandExecutionStatus",
    "ContextCompactionItem",
    "FileChangeItem",
    "FileUpdateChange",
    "ImageDetail",
    "ImageInput",
    "ListFilesAction",
    "LocalAudioInput",
    "LocalImageInput",
    "McpToolCallError",
    "McpToolCallItem",
    "McpToolCallResult",
    "McpToolCallStatus",
    "MentionInput",
    "MessagePhase",
    "PatchAdd",
    "PatchApplyStatus",
    "PatchChangeKind",
    "PatchDelete",
    "PatchUpdate",
    "PlanItem",
    "ReadAction",
    "ReasoningItem",
    "SearchAction",
    "SkillInput",
    "TextElement",
    "TextInput",
    "ThreadItem",
    "UnknownAction",
    "UserInput",
    "UserMessageItem",
    "WebSearchItem",
]

ImageDetail: TypeAlias = Literal["auto", "low", "high", "original"]
MessagePhase: TypeAlias = Literal["commentary", "partial_answer", "final_answer"]
CommandExecutionStatus: TypeAlias = Literal["inProgress", "completed", "failed", "declined"]
PatchApplyStatus: TypeAlias = Literal["inProgress", "completed", "failed", "declined"]
McpToolCallStatus: TypeAlias = Literal["inProgress", "completed", "failed"]


# What the user puts in


class ByteRange(Shape, frozen=True, kw_only=True):
    """A part of a text, in bytes of UTF-8."""

    start: U64
    end: U64


class TextElement(Shape, frozen=True, kw_only=True):
    """A part of a text that a screen shows in its own way."""

    byte_range: ByteRange
    placeholder: str | None = None


class TextInput(Shape, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Text."""

    text: str
    text_elements: tuple[TextElement, ...] = field(default=(), name="text_elements")


class ImageInput(Discreet, Shape, frozen=True, kw_only=True, tag_field="type", tag="image"):
    """An image at an address, or one that was uploaded before."""

    url: str | UnsetType = UNSET
    file_id: str | UnsetType = UNSET
    detail: ImageDetail | None = None

    def __post_init__(self) -> None:
        """Refuse an image that is nowhere."""
        if self.url is UNSET and self.file_id is UNSET:
            raise ValueError("data did not match any variant of untagged enum ImageReference")


class LocalImageInput(Shape, frozen=True, kw_only=True, tag_field="type", tag="localImage"):
    """An image in a file."""

    path: str
    detail: ImageDetail | None = None


class AudioInput(Discreet, Shape, frozen=True, kw_only=True, tag_field="type", tag="audio"):
    """Sound at an address, or sound that was uploaded before."""

    url: str | UnsetType = UNSET
    file_id: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse sound that is nowhere."""
        if self.url is UNSET and self.file_id is UNSET:
            raise ValueError("data did not match any variant of untagged enum AudioReference")


class LocalAudioInput(Shape, frozen=True, kw_only=True, tag_field="type", tag="localAudio"):
    """Sound in a file."""

    path: str


class SkillInput(Shape, frozen=True, kw_only=True, tag_field="type", tag="skill"):
    """A skill that the agent shall use."""

    name: str
    path: str


class MentionInput(Shape, frozen=True, kw_only=True, tag_field="type", tag="mention"):
    """Something that the text mentions."""

    name: str
    path: str


UserInput: TypeAlias = (
    TextInput | ImageInput | LocalImageInput | AudioInput | LocalAudioInput | SkillInput | MentionInput
)


# What the agent does, in its parts


class ReadAction(Shape, frozen=True, kw_only=True, tag_field="type", tag="read"):
    """A command reads a file."""

    command: str
    name: str
    path: str


class ListFilesAction(Shape, frozen=True, kw_only=True, tag_field="type", tag="listFiles"):
    """A command lists files."""

    command: str
    path: str | None = None


class SearchAction(Shape, frozen=True, kw_only=True, tag_field="type", tag="search"):
    """A command searches."""

    command: str
    query: str | None = None
    path: str | None = None


class UnknownAction(Shape, frozen=True, kw_only=True, tag_field="type", tag="unknown"):
    """A command does something else."""

    command: str


CommandAction: TypeAlias = ReadAction | ListFilesAction | SearchAction | UnknownAction


class PatchAdd(Shape, frozen=True, kw_only=True, tag_field="type", tag="add"):
    """A file is made."""


class PatchDelete(Shape, frozen=True, kw_only=True, tag_field="type", tag="delete"):
    """A file is deleted."""


class PatchUpdate(Shape, frozen=True, kw_only=True, tag_field="type", tag="update"):
    """A file is changed, and perhaps moved."""

    move_path: str | None = field(default=None, name="move_path")


PatchChangeKind: TypeAlias = PatchAdd | PatchDelete | PatchUpdate


class FileUpdateChange(Shape, frozen=True, kw_only=True):
    """What becomes of one file."""

    path: str
    kind: PatchChangeKind
    diff: str


class McpToolCallResult(Shape, frozen=True, kw_only=True):
    """What a tool gave back."""

    content: tuple[Raw, ...]
    structured_content: Raw = field(default_factory=null)
    meta: Raw = field(default_factory=null, name="_meta")


class McpToolCallError(Shape, frozen=True, kw_only=True):
    """Why a tool gave nothing back."""

    message: str


# Items


class _Timed(Shape, frozen=True, kw_only=True, tag_field="type"):
    started_at_ms: Int64 | None = None
    completed_at_ms: Int64 | None = None


class UserMessageItem(_Timed, frozen=True, kw_only=True, tag="userMessage"):
    """What the user put in."""

    id: str
    client_id: str | None = None
    content: tuple[UserInput, ...]


class AgentMessageItem(_Timed, frozen=True, kw_only=True, tag="agentMessage"):
    """The agent says something."""

    id: str
    text: str
    phase: MessagePhase | None = None
    moderation: Raw = field(default_factory=null)
    memory_citation: Raw = field(default_factory=null)
    delivery: Literal["async"] | None = None
    questions: tuple[Raw, ...] | None = None


class PlanItem(_Timed, frozen=True, kw_only=True, tag="plan"):
    """The agent's plan."""

    id: str
    text: str


class ReasoningItem(_Timed, frozen=True, kw_only=True, tag="reasoning"):
    """What the agent thinks."""

    id: str
    summary: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


class CommandExecutionItem(_Timed, frozen=True, kw_only=True, tag="commandExecution"):
    """The agent runs a command."""

    id: str
    command: str
    cwd: str
    process_id: str | None = None
    source: Literal["agent", "userShell", "unifiedExecStartup", "unifiedExecInteraction"] = "agent"
    status: CommandExecutionStatus
    command_actions: tuple[CommandAction, ...] = ()
    aggregated_output: str | None = None
    exit_code: Int32 | None = None
    duration_ms: Int64 | None = None
    plugin_id: str | None = None
    script_path: str | None = None


class FileChangeItem(_Timed, frozen=True, kw_only=True, tag="fileChange"):
    """The agent changes files."""

    id: str
    changes: tuple[FileUpdateChange, ...]
    status: PatchApplyStatus


class McpToolCallItem(_Timed, frozen=True, kw_only=True, tag="mcpToolCall"):
    """The agent calls a tool."""

    id: str
    server: str
    tool: str
    status: McpToolCallStatus
    arguments: Raw
    app_context: Raw = field(default_factory=null)
    mcp_app_resource_uri: str | UnsetType | None = UNSET
    mcp_app_ui: Raw = field(default_factory=null)
    plugin_id: str | None = None
    read_only_hint: bool | None = None
    result: McpToolCallResult | None = None
    error: McpToolCallError | None = None
    duration_ms: Int64 | None = None


class WebSearchItem(_Timed, frozen=True, kw_only=True, tag="webSearch"):
    """The agent searches the web."""

    id: str
    query: str
    action: Raw = field(default_factory=null)
    results: tuple[Raw, ...] | None = None


class ContextCompactionItem(_Timed, frozen=True, kw_only=True, tag="contextCompaction"):
    """What was said before was summed up."""

    id: str


ThreadItem: TypeAlias = (
    UserMessageItem
    | AgentMessageItem
    | PlanItem
    | ReasoningItem
    | CommandExecutionItem
    | FileChangeItem
    | McpToolCallItem
    | WebSearchItem
    | ContextCompactionItem
)
