"""What a turn consists of, and what a user can put into one. Source: app-server.md 1.6."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = [
    "AgentMessageItem",
    "AudioInput",
    "CommandAction",
    "CommandItem",
    "CommandStatus",
    "FileChange",
    "FileChangeItem",
    "ImageInput",
    "LocalAudioInput",
    "LocalImageInput",
    "MentionInput",
    "PlanItem",
    "ReasoningItem",
    "SkillInput",
    "TextInput",
    "ThreadItem",
    "UserInput",
    "UserMessageItem",
]


class TextInput(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Words."""

    text: str
    text_elements: tuple[msgspec.Raw, ...] = ()


class ImageInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="image", omit_defaults=True):
    """A picture by its address."""

    url: str | None = None
    file_id: str | None = None
    detail: str | None = None

    def __repr__(self) -> str:
        """Without what must not be logged."""
        return "ImageInput(...)"


class LocalImageInput(msgspec.Struct, frozen=True, kw_only=True, tag="localImage", omit_defaults=True):
    """A picture on this machine."""

    path: str
    detail: str | None = None


class AudioInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="audio", omit_defaults=True):
    """Sound by its address."""

    url: str | None = None
    file_id: str | None = None

    def __repr__(self) -> str:
        """Without what must not be logged."""
        return "AudioInput(...)"


class LocalAudioInput(msgspec.Struct, frozen=True, kw_only=True, tag="localAudio"):
    """Sound on this machine."""

    path: str


class SkillInput(msgspec.Struct, frozen=True, kw_only=True, tag="skill"):
    """A skill that the user names."""

    name: str
    path: str


class MentionInput(msgspec.Struct, frozen=True, kw_only=True, tag="mention"):
    """A file that the user names."""

    name: str
    path: str


UserInput: TypeAlias = (
    TextInput | ImageInput | LocalImageInput | AudioInput | LocalAudioInput | SkillInput | MentionInput
)
"""A piece of what a user says in one go."""

CommandStatus: TypeAlias = Literal["inProgress", "completed", "failed", "declined"]


class UserMessageItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="userMessage"):
    """What the user said."""

    id: str
    content: tuple[UserInput, ...]
    client_id: str | None = None


class AgentMessageItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="agentMessage"):
    """What the agent said."""

    id: str
    text: str
    phase: Literal["commentary", "final_answer"] | None = None
    memory_citation: None = None
    delivery: None = None
    questions: None = None
    moderation: None = None


class CommandAction(msgspec.Struct, frozen=True, kw_only=True):
    """What a command does, as far as it is known."""

    command: str
    type: Literal["unknown"] = "unknown"


class CommandItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="commandExecution"):
    """A command that the agent runs."""

    id: str
    command: str
    cwd: str
    status: CommandStatus
    command_actions: tuple[CommandAction, ...] = ()
    aggregated_output: str | None = None
    exit_code: int | None = None
    duration_ms: int | None = None
    process_id: str | None = None
    plugin_id: str | None = None
    script_path: str | None = None
    source: str = "agent"


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change to one file."""

    path: str
    kind: msgspec.Raw
    diff: str


class FileChangeItem(msgspec.Struct, frozen=True, kw_only=True, tag="fileChange"):
    """Files that the agent changes."""

    id: str
    changes: tuple[FileChange, ...]
    status: CommandStatus


class PlanItem(msgspec.Struct, frozen=True, kw_only=True, tag="plan"):
    """What the agent intends to do."""

    id: str
    text: str


class ReasoningItem(msgspec.Struct, frozen=True, kw_only=True, tag="reasoning"):
    """What the agent thinks, as far as it tells."""

    id: str
    summary: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


ThreadItem: TypeAlias = UserMessageItem | AgentMessageItem | CommandItem | FileChangeItem | PlanItem | ReasoningItem
"""One piece of a turn."""
