"""The ids of the wire: a kind and 21 random signs, as the public API has them."""

from __future__ import annotations

import secrets
import string
from typing import Final

__all__ = ["new_id"]

_SIGNS: Final = string.ascii_letters + string.digits


def new_id(kind: str) -> str:
    """A new id of this kind: `event`, `item`, `resp`, `call`, `sess`, `conv`."""
    return f"{kind}_{''.join(secrets.choice(_SIGNS) for _ in range(21))}"
