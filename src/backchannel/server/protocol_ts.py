"""The app server's protocol as TypeScript, made from the types that the server reads and writes.

A field that may be left out has a question mark. What the server sends has every field, so `| null` alone means that
the field is there without a value.
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from msgspec.inspect import (
    BoolType,
    DictType,
    Field,
    IntType,
    LiteralType,
    NoneType,
    RawType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
    multi_type_info,
    type_info,
)

from backchannel.server.schema import root_types
from backchannel.wire.appserver import (
    CLIENT_NOTIFICATIONS,
    METHODS,
    NOTIFICATIONS,
    SERVER_REQUESTS,
    UNIONS,
    Method,
    Told,
    union_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["typescript"]

_Struct: TypeAlias = type[msgspec.Struct]

_HEAD: Final = """\
// The protocol of Backchannel's app server. Generated: backchannel app-server generate-ts --out DIR

export type RequestId = string | number;
/** Any JSON. */
export type JsonValue = unknown;
"""


def typescript() -> str:
    """The whole protocol as one module."""
    found: dict[str, StructType] = {}
    for kind in multi_type_info([*root_types(), *UNIONS.values()]):
        _collect(kind, found)
    shapes = {name: _shape(found[name]) for name in found}
    shapes |= {name: _union(name) for name in UNIONS}
    return "\n".join(
        [
            _HEAD,
            *(shapes[name] for name in sorted(shapes)),
            _messages("ClientRequest", map(_request, METHODS.values())),
            _messages("ClientNotification", map(_notification, CLIENT_NOTIFICATIONS.values())),
            _messages("ServerRequest", map(_request, SERVER_REQUESTS.values())),
            _messages("ServerNotification", map(_notification, NOTIFICATIONS.values())),
            _results("ClientRequestResults", METHODS.values()),
            _results("ServerRequestResults", SERVER_REQUESTS.values()),
        ]
    )


def _collect(kind: Type, found: dict[str, StructType]) -> None:
    match kind:
        case StructType(cls=cls, fields=fields):
            if cls.__name__ not in found:
                found[cls.__name__] = kind
                for field in fields:
                    _collect(field.type, found)
        case UnionType(types=kinds):
            for each in kinds:
                _collect(each, found)
        case VarTupleType(item_type=item) | DictType(value_type=item):
            _collect(item, found)
        case _:
            pass


def _shape(kind: StructType) -> str:
    lines = [f"  {_quoted_name(kind.tag_field)}: {json.dumps(kind.tag)};"] if kind.tag_field else []
    lines += [f"  {_field(field, kind.cls)}" for field in kind.fields]
    body = "{\n" + "\n".join(lines) + "\n}" if lines else "Record<string, never>"
    return f"/** {_doc(kind.cls)} */\nexport type {kind.cls.__name__} = {body};\n"


def _field(field: Field, owner: _Struct) -> str:
    has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
    # What has neither a value nor a default is left out by both sides.
    may_be_left_out = not field.required and (owner.__struct_config__.omit_defaults or not has_default)
    return f"{_quoted_name(field.encode_name)}{'?' if may_be_left_out else ''}: {_type(field.type)};"


def _quoted_name(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _union(name: str) -> str:
    kind = type_info(UNIONS[name])
    kinds = kind.types if isinstance(kind, UnionType) else [kind]
    return f"export type {name} = {_alternatives(_type(each) for each in kinds)};\n"


def _type(kind: Type) -> str:
    match kind:
        case StrType():
            return "string"
        case IntType():
            return "number"
        case BoolType():
            return "boolean"
        case NoneType():
            return "null"
        case RawType():
            return "JsonValue"
        case LiteralType(values=values):
            return _alternatives(json.dumps(value) for value in values)
        case StructType(cls=cls):
            return cls.__name__
        case VarTupleType(item_type=item):
            return f"Array<{_type(item)}>"
        case DictType(value_type=item):
            return f"{{ [key in string]?: {_type(item)} }}"
        case UnionType(types=kinds):
            return _alternatives(_of_union(kinds))
        case _:
            raise TypeError(f"no TypeScript for {kind}; add it here")


def _of_union(kinds: Sequence[Type]) -> Iterable[str]:
    """What is written for it: the union's name where it has one, and null last."""
    structs = [kind.cls for kind in kinds if isinstance(kind, StructType)]
    name = union_name(frozenset(structs))
    kept = [kind for kind in kinds if name is None or not isinstance(kind, StructType | LiteralType)]
    written = [_type(kind) for kind in kept if not isinstance(kind, NoneType)]
    return [*([name] if name else []), *written, *(["null"] if len(written) + bool(name) and _has_null(kinds) else [])]


def _has_null(kinds: Sequence[Type]) -> bool:
    return any(isinstance(kind, NoneType) for kind in kinds)


def _alternatives(names: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(names))


def _request(method: Method) -> str:
    optional = "?" if method.may_omit_params else ""
    return f'{{ id: RequestId; method: "{method.name}"; params{optional}: {_named(method.params)} }}'


def _notification(told: Told) -> str:
    params = "" if told.params is None else f"; params: {told.params.__name__}"
    return f'{{ method: "{told.name}"{params} }}'


def _named(kind: object) -> str:
    info = type_info(kind)
    return _alternatives(_of_union(info.types)) if isinstance(info, UnionType) else _type(info)


def _messages(name: str, kinds: Iterable[str]) -> str:
    return f"export type {name} =\n" + "\n".join(f"  | {kind}" for kind in kinds) + ";\n"


def _results(name: str, methods: Iterable[Method]) -> str:
    lines = [f'  "{method.name}": {method.result.__name__};' for method in methods]
    return f"export type {name} = {{\n" + "\n".join(lines) + "\n};\n"


def _doc(kind: _Struct) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())
