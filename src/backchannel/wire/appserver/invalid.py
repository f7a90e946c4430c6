"""Saying what is wrong with parameters, in the words of the reference.

The way of a good request is msgspec's alone. What it refuses is looked at once more here, slowly, along the same
types, so that a client reads the same message from both servers: about the first field with a wrong value, in the order
of the message, else about the first field that is missing.

Source: app-server.md 1.2, and the answers of the released reference.
"""

from __future__ import annotations

import functools
import typing
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from msgspec import Raw, inspect

from backchannel.wire.appserver.shapes import MAX_SAFE_INTEGER
from backchannel.wire.appserver.unions import union_name
from backchannel.wire.jsonrpc import INVALID_REQUEST, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["REFUSALS", "invalid_request", "read_again", "unknown_variant"]

_Type: TypeAlias = inspect.Type
_Order: TypeAlias = "dict[frozenset[object], tuple[str, ...]]"

REFUSALS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What msgspec raises when it refuses."""
_Struct = typing.TypeVar("_Struct", bound=msgspec.Struct)

_MAX_SHOWN: Final = 200
"""A longer text is not given back whole."""
_INTEGERS: Final = {2**16 - 1: "u16", 2**32 - 1: "u32", MAX_SAFE_INTEGER: "u64", 2**31 - 1: "i32", 2**63 - 1: "i64"}
"""What the reference calls whole numbers, by the largest one."""


def invalid_request(problem: str) -> RpcError:
    """The error that a request is answered with."""
    return RpcError(INVALID_REQUEST, f"Invalid request: {problem}")


def read_again(decoder: msgspec.json.Decoder[_Struct], kind: object, value: Raw) -> _Struct | RpcError:
    """What is wrong with parameters that msgspec refused to read as this kind, or what they are after all.

    They are good after all when a wrong value is followed by a good one under the same key: then the last one counts.
    """
    try:
        found = msgspec.json.decode(value)
    except RecursionError:
        return invalid_request("it is nested too deeply")
    except (msgspec.MsgspecError, UnicodeError):
        return invalid_request("it is not JSON")
    if found is None:
        return invalid_request("missing field `params`")
    problem = _problem(_type_info(kind), found, {})
    if problem is not None:
        return invalid_request(problem)
    try:
        return decoder.decode(msgspec.json.encode(found))
    except REFUSALS as exc:
        # What the types cannot say is said by the struct itself, which is the cause then.
        return invalid_request(str(exc.__cause__ or exc))


def unknown_variant(given: str, known: Sequence[str]) -> str:
    """What is wrong with a name that is none of the known ones."""
    *most, last = (f"`{name}`" for name in known)
    if not most:
        expected = last
    elif len(most) == 1:
        expected = f"{most[0]} or {last}"
    else:
        expected = f"one of {', '.join([*most, last])}"
    return f"unknown variant `{_shown(given)}`, expected {expected}"


@functools.cache
def _type_info(kind: object) -> _Type:
    return inspect.type_info(kind)


@functools.cache
def _declared_order(kind: type[msgspec.Struct]) -> _Order:
    """The choices among the fields of a struct in the order of their declaration, which msgspec does not keep."""
    order: _Order = {}
    hints = list(typing.get_type_hints(kind).values())
    while hints:
        hint = hints.pop()
        names = typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal:
            order[frozenset(names)] = names
        else:
            hints += names
    return order


def _problem(kind: _Type, value: Any, order: _Order) -> str | None:  # any JSON, before it has a type
    match kind:
        case inspect.RawType():
            return None
        case inspect.StrType():
            return None if isinstance(value, str) else _invalid_type(value, "a string")
        case inspect.BoolType():
            return None if isinstance(value, bool) else _invalid_type(value, "a boolean")
        case inspect.IntType(ge=int(low), le=int(high)):
            if type(value) is not int:
                return _invalid_type(value, _INTEGERS[high])
            return None if low <= value <= high else f"invalid value: integer `{value}`, expected {_INTEGERS[high]}"
        case inspect.LiteralType(values=names):
            return _problem_in_choice(list(order[frozenset(names)]), None, value)
        case inspect.VarTupleType(item_type=item):
            if not isinstance(value, list):
                return _invalid_type(value, "a sequence")
            return _first(_problem(item, each, order) for each in value)
        case inspect.DictType(value_type=item):
            if not isinstance(value, dict):
                return _invalid_type(value, "a map")
            return _first(_problem(item, each, order) for each in value.values())
        case inspect.StructType():
            if not isinstance(value, dict):
                return _invalid_type(value, f"struct {kind.cls.__name__}")
            return _problem_in_fields(kind, value)
        case inspect.UnionType(types=kinds):
            return _problem_in_union(kinds, value, order)
        case _:
            raise AssertionError(f"no parameters have a {kind}; add it here when they do")


def _problem_in_fields(kind: inspect.StructType, value: dict[str, Any]) -> str | None:
    fields = {field.encode_name: field for field in kind.fields}
    order = _declared_order(kind.cls)
    wrong = _first(_problem(fields[name].type, each, order) for name, each in value.items() if name in fields)
    missing = (name for name, field in fields.items() if field.required and name not in value)
    return wrong or _first(f"missing field `{name}`" for name in missing)


def _problem_in_union(kinds: Sequence[_Type], value: Any, order: _Order) -> str | None:
    rest = [kind for kind in kinds if not isinstance(kind, inspect.NoneType)]
    if value is None and len(rest) < len(kinds):
        return None
    structs = [kind for kind in rest if isinstance(kind, inspect.StructType)]
    names = [name for kind in rest if isinstance(kind, inspect.LiteralType) for name in order[frozenset(kind.values)]]
    match rest:
        case [only]:
            return _problem(only, value, order)
        case _ if len(structs) == len(rest):
            return _problem_in_tagged(structs, value)
        case _ if names:
            return _problem_in_choice(names, structs[0], value)
        case _:
            # The reference tries one after the other and says no more than this.
            fits = any(_problem(kind, value, order) is None for kind in rest)
            return None if fits else "data did not match any variant of untagged enum"


def _problem_in_tagged(kinds: Sequence[inspect.StructType], value: Any) -> str | None:
    by_tag = {str(kind.tag): kind for kind in kinds}
    if not isinstance(value, dict):
        name = union_name(frozenset(kind.cls for kind in kinds))
        return _invalid_type(value, f"internally tagged enum {name}")
    if "type" not in value:
        return "missing field `type`"
    tag = value["type"]
    if not isinstance(tag, str):
        return _invalid_type(tag, "variant identifier")
    return _problem_in_fields(by_tag[tag], value) if tag in by_tag else unknown_variant(tag, list(by_tag))


def _problem_in_choice(names: list[str], with_more: inspect.StructType | None, value: Any) -> str | None:
    """A choice of names, of which some stand alone and some are the only key of an object."""
    keys = [field.encode_name for field in with_more.fields] if with_more else []
    if isinstance(value, str):
        return None if value in names else unknown_variant(value, names + keys)
    if not isinstance(value, dict) or with_more is None:
        return _invalid_type(value, "string or map")
    strange = (unknown_variant(key, names + keys) for key in value if key not in keys)
    return _first(strange) or _problem_in_fields(with_more, value)


def _first(problems: Iterable[str | None]) -> str | None:
    return next((problem for problem in problems if problem is not None), None)


def _invalid_type(value: Any, expected: str) -> str:
    return f"invalid type: {_described(value)}, expected {expected}"


def _described(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{_shown(str(value))}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return f'string "{_shown(value)}"'
        case list():
            return "sequence"
        case _:
            return "map"


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
