"""What all parameters, results and notifications of the app server have in common.

Both sorts are frozen, have names in camel case on the wire, and ignore what they do not know. They differ in how they
are written. Parameters leave out what has its default. Results and notifications have every field, null where there is
no value; those that the reference leaves out instead have `UNSET` as their default.

Source: app-server.md 1.2; the reference's own schema.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

__all__ = [
    "MAX_SAFE_INTEGER",
    "NULL",
    "U16",
    "U32",
    "U64",
    "Discreet",
    "Empty",
    "Int32",
    "Int64",
    "Params",
    "Shape",
    "Variant",
    "null",
]

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly."""

U16: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)]
U32: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
U64: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)]
Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


NULL: Final = msgspec.Raw(b"null")
"""No value, where a value may be any JSON. (`Raw | None` would be null and nothing else.)"""


def null() -> msgspec.Raw:
    """That value as a default, in a form of which a schema can be made."""
    return NULL


class Params(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a request brings."""


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """What a result or a notification is made of."""


class Discreet(msgspec.Struct, frozen=True):
    """Beside one of the others: something among whose values are secrets or addresses. What is printed is its name."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class Variant(Shape, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A choice that has something inside: exactly one field, the one that was chosen, is there."""

    def __post_init__(self) -> None:
        """Refuse no choice, and more than one."""
        n_chosen = sum(getattr(self, name) is not msgspec.UNSET for name in self.__struct_fields__)
        if n_chosen != 1:
            raise ValueError(f"expected exactly one of {', '.join(self.__struct_encode_fields__)}, got {n_chosen}")


class Empty(Shape, frozen=True):
    """Nothing to say: it was taken."""
