"""The voices of each dialect, in the order in which they are listed to a person.

Source: realtime.md 3.5; those of the live dialect are the public protocol's.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LIVE_VOICES", "V1_VOICES", "V2_VOICES", "V3_VOICES", "default_first"]

V1_VOICES: Final = ("juniper", "maple", "spruce", "ember", "vale", "breeze", "arbor", "sol", "cove")
V2_VOICES: Final = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
V3_VOICES: Final = (
    *V1_VOICES,
    "aube", "bubbie", "haetsal", "hanul", "himari", "leher", "miko", "neer", "porto", "rindo", "rio", "rivage",
    "selva", "sonna", "tinta", "viola",
)  # fmt: skip
LIVE_VOICES: Final = (
    "alloy", "ash", "ballad", "beacon", "bossa", "cedar", "cinder", "coral", "delta", "echo", "gleam", "marin",
    "meridian", "quartz", "ripple", "sage", "shida", "shimmer", "stone", "tempo", "verse", "vesper", "willow",
)  # fmt: skip


def default_first(voices: tuple[str, ...], default: str) -> tuple[str, ...]:
    """The same voices, the default one before the others."""
    return (default, *(voice for voice in voices if voice != default))
