"""Checks of a closed union: every member has an example, a tag of its own, and comes back as it went."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

__all__ = ["assert_closed_union", "assert_members_are_declared", "members"]


def members(union: object) -> tuple[type[msgspec.Struct], ...]:
    """The classes of a union."""
    return tuple(get_args(union))


def assert_closed_union(union: object, examples: Iterable[object]) -> None:
    """The examples show every member; each comes back from its tagged encoding as it was, and cannot be changed."""
    examples = tuple(examples)
    assert {type(example) for example in examples} == set(members(union))
    tags = [member.__struct_config__.tag for member in members(union)]
    assert len(set(tags)) == len(tags)
    decoder: msgspec.json.Decoder[object] = msgspec.json.Decoder(union)
    for example in examples:
        encoded = msgspec.json.encode(example)
        assert encoded.startswith(b'{"type":"')
        decoded = decoder.decode(encoded)
        assert type(decoded) is type(example)
        assert msgspec.json.encode(decoded) == encoded
        assert example.__struct_config__.frozen if isinstance(example, msgspec.Struct) else False


def assert_members_are_declared(module: ModuleType, union: object, *, besides: set[str]) -> None:
    """Every struct that a module declares belongs to its union, or is named here."""
    declared = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, msgspec.Struct) and value.__module__ == module.__name__
    }
    assert declared - {member.__name__ for member in members(union)} == besides
