"""Text that has no UTF-8: lone surrogates, which a terminal makes of broken input."""

from __future__ import annotations

import msgspec

__all__ = ["encodable"]


def encodable(value: object) -> object:
    """A JSON value with a question mark in the place of each lone surrogate; other values come back as they are.

    A struct comes back as one of the same kind.
    """
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {encodable(key): encodable(item) for key, item in value.items()}
        case list() | tuple():
            return [encodable(item) for item in value]
        case msgspec.Struct():
            fields = {name: encodable(getattr(value, name)) for name in value.__struct_fields__}
            return type(value)(**fields)
        case _:
            return value
