"""What a request says of the turn it belongs to: one JSON object, in a header or in the request's body.

The keys of this side are its own; what a client adds stands beside them and never in their place. It is ASCII, so that
a header can carry it, and bounded: entries of the client beyond the bound are left out.

Source: app-server.md 5.1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HEADER", "MAX_BYTES", "RESERVED", "render_metadata"]

HEADER: Final = "x-codex-turn-metadata"
MAX_BYTES: Final = 8192
"""Servers take 8 KiB of header and more (nginx: 8 KiB a line, node: 16 KiB in all)."""
RESERVED: Final = frozenset(
    {
        "agent_name",
        "analytics_enabled",
        "auto_review_enabled",
        "context_window_id",
        "forked_from_thread_id",
        "history_initialization",
        "installation_id",
        "model",
        "node_repl_auto_review_required",
        "node_repl_disabled",
        "parent_thread_id",
        "request_kind",
        "root_turn_id",
        "sandbox",
        "sandbox_mode",
        "session_id",
        "subagent_type",
        "thread_id",
        "thread_source",
        "turn_id",
        "turn_started_at_unix_ms",
        "turn_trigger",
        "window_id",
        "window_number",
        "workspaces",
    }
)
"""Keys that a client cannot set, whether this side says something there or not."""


def render_metadata(ours: Mapping[str, str | int], client: Mapping[str, str]) -> str:
    """The object as it is sent.

    Args:
        ours: What this side says.
        client: What the client adds; reserved keys are ignored.
    """
    merged: dict[str, str | int] = dict(ours)
    room = MAX_BYTES - len(_compact(merged))
    for name, value in client.items():
        # Two braces fewer, one comma more.
        size = len(_compact({name: value})) - 1
        if name not in RESERVED and name not in merged and size <= room:
            merged[name] = value
            room -= size
    return _compact(merged)


def _compact(value: Mapping[str, str | int]) -> str:
    # The one control character that JSON does not escape, and a header may not hold.
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f")
