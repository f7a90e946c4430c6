"""Keys: where they come from. They are passed as values and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backchannel.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEY_VARIABLES", "find_api_key", "require_api_key"]

KEY_VARIABLES: Final = ("BACKCHANNEL_API_KEY", "OPENAI_API_KEY")


def require_api_key(env: Mapping[str, str]) -> str:
    """The key for OpenAI: our own variable, else the usual one.

    Raises:
        UsageError: Neither is set.
    """
    for variable in KEY_VARIABLES:
        if key := env.get(variable, "").strip():
            return key
    raise UsageError(
        f"OpenAI wants an API key: set {' or '.join(KEY_VARIABLES)}, or use --realtime local, which needs none"
    )


def find_api_key(env: Mapping[str, str]) -> str | None:
    """The key for any other server: our own variable only, so that OpenAI's key reaches nobody else."""
    return env.get(KEY_VARIABLES[0], "").strip() or None
