"""One example of every struct of a module, which each has to keep through its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["example", "structs_of"]


def structs_of(module: ModuleType) -> list[type[msgspec.Struct]]:
    """The structs that a module exports."""
    found = [getattr(module, name) for name in module.__all__]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]


def example(kind: Any, *, full: bool) -> Any:  # Any: a type of whatever kind, and a value of it
    """A value: with everything in it, or with as little as may be."""
    return _value(msgspec.inspect.type_info(kind), full=full)


def _value(kind: msgspec.inspect.Type, *, full: bool) -> Any:  # Any: likewise
    match kind:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            given = {field.name: _value(field.type, full=full) for field in fields if full or field.required}
            return cls(**given)
        case msgspec.inspect.UnionType(types=types):
            wanted = [each for each in types if not isinstance(each, msgspec.inspect.NoneType)]
            return _value(wanted[0], full=full)
        case msgspec.inspect.StrType():
            return "text"
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType():
            return 7
        case msgspec.inspect.LiteralType(values=values):
            return values[-1]
        case msgspec.inspect.VarTupleType(item_type=item):
            return (_value(item, full=full),) if full else ()
        case msgspec.inspect.DictType(value_type=value):
            return {"key": _value(value, full=full)} if full else {}
        case msgspec.inspect.RawType():
            return msgspec.Raw(b'{"a":1}')
        case msgspec.inspect.AnyType() | msgspec.inspect.CustomType():
            return "anything"
        case msgspec.inspect.NoneType():
            return None
        case _:
            raise AssertionError(kind)
