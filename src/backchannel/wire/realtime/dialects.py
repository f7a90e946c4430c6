"""The dialects by name, and whether the settings of a session fit one.

Source: realtime.md 3.1 and 3.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backchannel.errors import UsageError
from backchannel.wire.realtime.live import Live
from backchannel.wire.realtime.session import Modality
from backchannel.wire.realtime.v1 import V1
from backchannel.wire.realtime.v2 import V2
from backchannel.wire.realtime.v3 import V3
from backchannel.wire.realtime.voices import LIVE_VOICES, V1_VOICES, V2_VOICES, V3_VOICES
from backchannel.wire.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backchannel.wire.realtime.dialect import Abilities, Dialect
    from backchannel.wire.realtime.session import InitialItem, SessionSettings

__all__ = [
    "DEFAULT_DIALECT",
    "DIALECTS",
    "LISTED_VOICES",
    "MAX_INITIAL_ITEMS",
    "MAX_TOKENS",
    "check_session",
    "dialect_named",
]

DEFAULT_DIALECT: Final = "v2"
MAX_INITIAL_ITEMS: Final = 128
MAX_TOKENS: Final = 8192
"""Of one initial item, of all of them together, and of instructions for the agent; estimated."""

DIALECTS: Final[Mapping[str, Dialect]] = {dialect.name: dialect for dialect in (V1(), V2(), V3(), Live())}
LISTED_VOICES: Final[Mapping[str, tuple[str, ...]]] = {
    V1.name: V1_VOICES,
    V2.name: V2_VOICES,
    V3.name: V3_VOICES,
    Live.name: LIVE_VOICES,
}
"""The voices of each dialect, in the order in which they are listed to a person."""


def dialect_named(name: str) -> Dialect:
    """The dialect that configuration names.

    Raises:
        UsageError: There is none of that name.
    """
    dialect = DIALECTS.get(name)
    if dialect is None:
        raise UsageError(f"unknown dialect {name!r}; choose one of: {', '.join(DIALECTS)} (--dialect)")
    return dialect


def check_session(
    dialect: Dialect,
    settings: SessionSettings,
    *,
    start_instructions: str | None = None,
    end_instructions: str | None = None,
) -> None:
    """Make sure that a session can be had in a dialect.

    Args:
        dialect: What is going to be spoken.
        settings: What is wanted.
        start_instructions: What the agent is told when the conversation begins; None when it is our own text.
        end_instructions: What the agent is told when it ends; likewise.

    Raises:
        UsageError: It cannot; says what was given, what is allowed and where to change it.
    """
    if settings.modality is Modality.TEXT and not dialect.abilities.text_modality:
        raise UsageError(
            f"{dialect.name} cannot answer in text; take {_those(lambda can: can.text_modality)} (--dialect),"
            " or ask for audio"
        )
    if settings.voice not in dialect.voices:
        voices = ", ".join(LISTED_VOICES.get(dialect.name, dialect.voices))
        raise UsageError(f"{dialect.name} has no voice {settings.voice!r}; choose one of: {voices} (--voice)")
    _check_initial_items(dialect, settings.initial_items)
    for name, text in (("start", start_instructions), ("end", end_instructions)):
        if text is not None and (tokens := estimate_tokens(text)) > MAX_TOKENS:
            raise UsageError(
                f"the {name} instructions for the agent have about {tokens} tokens, expected no more than "
                f"{MAX_TOKENS}; shorten them in the request or in the configuration"
            )


def _check_initial_items(dialect: Dialect, items: tuple[InitialItem, ...]) -> None:
    if not items:
        return
    if not dialect.abilities.initial_items:
        raise UsageError(
            f"a session in {dialect.name} cannot begin with initial items; take "
            f"{_those(lambda can: can.initial_items)} (--dialect), or leave them out"
        )
    if len(items) > MAX_INITIAL_ITEMS:
        raise UsageError(
            f"got {len(items)} initial items, expected no more than {MAX_INITIAL_ITEMS}; leave the oldest out"
        )
    tokens = [estimate_tokens(item.text) for item in items]
    for n, size in enumerate(tokens, 1):
        if size > MAX_TOKENS:
            raise UsageError(
                f"initial item {n} has about {size} tokens, expected no more than {MAX_TOKENS}; shorten it"
            )
    if sum(tokens) > MAX_TOKENS:
        raise UsageError(
            f"the initial items have about {sum(tokens)} tokens together, expected no more than {MAX_TOKENS}; "
            "shorten them or leave the oldest out"
        )


def _those(can: Callable[[Abilities], bool]) -> str:
    """The dialects that can do something, for a person to choose from."""
    return " or ".join(dialect.name for dialect in DIALECTS.values() if can(dialect.abilities))
