"""Values of any shape, made from its type alone, for properties that hold of all shapes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET, Raw, inspect

from backchannel.wire.appserver import AudioInput, ImageInput

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["N_EXAMPLES", "comes_back", "made", "shapes_of"]

N_EXAMPLES: Final = 20
"""Of each of the many shapes; what they have in common is tested more often."""
TEXT = st.text(max_size=8)
JSON = st.sampled_from([b"7", b'"text"', b"[]", b'{"a":[true,null]}'])
"""Any JSON but null, which reads as no value."""


def shapes_of(module: ModuleType) -> list[type[msgspec.Struct]]:
    """The structs that a module exports, to be tested one by one."""
    exported = [getattr(module, name) for name in module.__all__]
    return [kind for kind in exported if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]


def comes_back(value: msgspec.Struct) -> bool:
    """Whether writing a value and reading it gives the same value."""
    # The types are read as a server or a client reads them: strictly, and by their names on the wire.
    return bool(msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value)


def made(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:  # of the kind that is asked for
    """Values of a struct: each field with and without a value. Of structs inside there are only a few values."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    if info.forbid_unknown_fields:
        # A choice with something inside: one field and no other.
        return st.one_of(*(st.builds(kind, **{field.name: _given(field)}) for field in info.fields))
    return st.fixed_dictionaries({field.name: _field(field) for field in info.fields}).map(
        functools.partial(_built, kind)
    )


@functools.cache
def _few(kind: type[msgspec.Struct]) -> tuple[msgspec.Struct, ...]:
    """One with as little as possible, and one with everything."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    if info.forbid_unknown_fields:
        return tuple(kind(**{field.name: _one(field.type)}) for field in info.fields)
    little = {field.name: _one(field.type) for field in info.fields if field.required}
    return _built(kind, dict(little)), kind(**{field.name: _one(field.type) for field in info.fields})


def _one(kind: inspect.Type) -> object:
    match kind:
        case inspect.RawType():
            return Raw(b'{"a":[true,null]}')
        case inspect.StrType():
            return "é \n"
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return 7
        case inspect.LiteralType(values=values):
            return values[-1]
        case inspect.VarTupleType(item_type=item):
            return (_one(item),)
        case inspect.DictType(value_type=item):
            return {"key": _one(item)}
        case inspect.StructType(cls=cls):
            return _few(cls)[-1]
        case inspect.UnionType(types=kinds):
            return next(_one(each) for each in kinds if not isinstance(each, inspect.NoneType))
        case _:
            raise AssertionError(f"nothing is made for {kind}; add it here")


def _built(kind: type[msgspec.Struct], fields: dict[str, object]) -> msgspec.Struct:
    if kind in {ImageInput, AudioInput} and fields.get("url", UNSET) is fields.get("file_id", UNSET) is UNSET:
        fields["url"] = "https://example.com"
    return kind(**{name: value for name, value in fields.items() if value is not UNSET})


def _field(field: inspect.Field) -> st.SearchStrategy[Any]:
    given = _given(field)
    return given if field.required else st.just(UNSET) | given


def _given(field: inspect.Field) -> st.SearchStrategy[Any]:
    # An effort is never empty; nothing else that is text has a rule of its own.
    return st.sampled_from(["low", "high"]) if field.name == "effort" else _value(field.type)


def _value(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.RawType():
            return JSON.map(Raw)
        case inspect.StrType():
            return TEXT
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.IntType(ge=int(low), le=int(high)):
            return st.integers(low, high)
        case inspect.LiteralType(values=values):
            return st.sampled_from(list(values))
        case inspect.VarTupleType(item_type=item):
            return st.lists(_value(item), max_size=2).map(tuple)
        case inspect.DictType(value_type=item):
            return st.dictionaries(TEXT, _value(item), max_size=2)
        case inspect.StructType(cls=cls):
            return st.sampled_from(_few(cls))
        case inspect.UnionType(types=kinds):
            return st.one_of(*map(_value, kinds))
        case _:
            raise AssertionError(f"nothing is made for {kind}; add it here")
