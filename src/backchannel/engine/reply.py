"""What the dialog answers with: words, a call of a tool, or both. Pure."""

from __future__ import annotations

import dataclasses

__all__ = ["Reply", "ToolCall"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that is to be called."""

    name: str
    arguments: str
    """A JSON object."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to say, and then what to call; either may be missing."""

    say: str | None = None
    call: ToolCall | None = None
