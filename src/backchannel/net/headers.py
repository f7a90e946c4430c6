"""Headers of a request: which can be sent, and what is added to those that were given."""

from __future__ import annotations

import base64
import http
from typing import TYPE_CHECKING

import backchannel
from backchannel.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.net.address import Address

__all__ = ["check_headers", "completed_headers", "is_sendable", "status_words"]


def check_headers(headers: Mapping[str, str]) -> None:
    """Make sure that headers can be sent.

    Raises:
        UsageError: One cannot; the text has its name, never its value.
    """
    for name, value in headers.items():
        if not is_sendable(name, value):
            raise UsageError(
                f"the header {name!r} cannot be sent: it holds characters that no header may hold "
                "(line breaks, control characters, or others than Latin-1); check where its value is configured"
            )


def completed_headers(headers: Mapping[str, str], address: Address) -> dict[str, str]:
    """The headers with our name, and with the address's credentials where they have none."""
    completed = dict(headers)
    given = {name.lower() for name in completed}
    if "user-agent" not in given:
        completed["User-Agent"] = f"backchannel/{backchannel.__version__}"
    if address.username is not None and "authorization" not in given:
        credentials = f"{address.username}:{address.password or ''}".encode()
        completed["Authorization"] = f"Basic {base64.b64encode(credentials).decode('ascii')}"
    return completed


def status_words(status: int) -> str:
    """A status as a person knows it."""
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def is_sendable(name: str, value: str) -> bool:
    """Whether a header may have this name and this value."""
    token = name.isascii() and all(character.isalnum() or character in "!#$%&'*+-.^_`|~" for character in name)
    text = all(character == "\t" or (" " <= character <= "\xff" and character != "\x7f") for character in value)
    return bool(name) and token and text
