"""The app server's protocol as JSON Schema, made from the types that the server reads and writes.

One document holds everything: `ClientRequest`, `ServerNotification` and the like say what can be sent, and every shape
has a definition of its own. A document for one method holds what that method needs. What only experimental clients may
send is marked by `x-experimental`, what only Backchannel has by `x-backchannel`, and a request names its result by
`x-result`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from backchannel.wire.appserver import (
    CLIENT_NOTIFICATIONS,
    METHODS,
    NOTIFICATIONS,
    SERVER_REQUESTS,
    UNIONS,
    Method,
    Told,
    struct_kinds,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["json_schema", "json_schema_files", "root_types"]

Json: TypeAlias = dict[str, object]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REF: Final = "#/$defs/{name}"
_NULL: Final[Json] = {"type": "null"}
_ID: Final[Json] = {"type": ["string", "integer"]}
_REFERENCE: Final = re.compile(r'"#/\$defs/(\w+)"')


def json_schema() -> Json:
    """The whole protocol as one document."""
    return _whole(_definitions())


def json_schema_files() -> dict[str, bytes]:
    """The whole protocol in `schema.json`, and a document for each method and notification, as files to be written."""
    definitions = _definitions()
    files: dict[str, Json] = {"schema.json": _whole(definitions)}
    for method in (*METHODS.values(), *SERVER_REQUESTS.values()):
        files[_file_name(method.name)] = _document(_request(method), definitions)
    for told in (*CLIENT_NOTIFICATIONS.values(), *NOTIFICATIONS.values()):
        files[_file_name(told.name)] = _document(_notification(told), definitions)
    return {name: msgspec.json.format(msgspec.json.encode(document)) + b"\n" for name, document in files.items()}


def _whole(definitions: Json) -> Json:
    return {"$schema": _DIALECT, "title": "Backchannel app server protocol", "$defs": definitions}


def root_types() -> list[type[msgspec.Struct]]:
    """Every struct that stands at the top of parameters or of a result, each once, in the order of the table."""
    kinds: dict[type[msgspec.Struct], None] = {}
    for method in (*METHODS.values(), *SERVER_REQUESTS.values()):
        kinds |= dict.fromkeys([*_structs(method.params), method.result])
    kinds |= dict.fromkeys(told.params for told in NOTIFICATIONS.values() if told.params is not None)
    return list(kinds)


def _structs(kind: object) -> list[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return sorted(struct_kinds(kind), key=lambda each: each.__name__)


def _definitions() -> Json:
    roots = root_types()
    schemas, components = msgspec.json.schema_components([*roots, *UNIONS.values()], ref_template=_REF)
    unions = dict(zip(UNIONS, schemas[len(roots) :], strict=True))
    definitions: Json = {name: _with_named_unions(schema, unions) for name, schema in components.items()}
    definitions |= unions
    definitions = dict(sorted(definitions.items()))
    return {
        "ClientRequest": {"oneOf": [_request(method) for method in METHODS.values()]},
        "ClientNotification": {"oneOf": [_notification(told) for told in CLIENT_NOTIFICATIONS.values()]},
        "ServerRequest": {"oneOf": [_request(method) for method in SERVER_REQUESTS.values()]},
        "ServerNotification": {"oneOf": [_notification(told) for told in NOTIFICATIONS.values()]},
        **definitions,
    }


def _with_named_unions(schema: object, unions: Mapping[str, Json]) -> object:
    """A schema in which what has a name is referred to by it; descriptions in one line."""
    match schema:
        case dict():
            for name, union in unions.items():
                named: Json = {"$ref": _REF.format(name=name)}
                rest = {key: value for key, value in schema.items() if key not in union}
                if schema == union | rest:
                    return named | rest
                if schema.get("anyOf") == [*_choices(union), _NULL]:
                    return schema | {"anyOf": [named, _NULL]}
            return {
                key: " ".join(value.split()) if isinstance(value, str) else _with_named_unions(value, unions)
                for key, value in schema.items()
            }
        case list():
            return [_with_named_unions(each, unions) for each in schema]
        case _:
            return schema


def _choices(union: Json) -> list[object]:
    choices = union["anyOf"]
    return choices if isinstance(choices, list) else []


def _request(method: Method) -> Json:
    properties: Json = {"id": _ID, "method": {"const": method.name}, "params": {"$ref": _reference(method.params)}}
    marks: Json = {"x-result": {"$ref": _reference(method.result)}}
    if method.is_experimental:
        marks["x-experimental"] = True
    elif method.experimental_fields:
        marks["x-experimental-fields"] = list(method.experimental_fields)
    return _message(properties, may_omit_params=method.may_omit_params, is_ours=method.is_ours) | marks


def _notification(told: Told) -> Json:
    properties: Json = {"method": {"const": told.name}}
    if told.params is not None:
        properties["params"] = {"$ref": _reference(told.params)}
    return _message(properties, is_ours=told.is_ours)


def _message(properties: Json, *, is_ours: bool, may_omit_params: bool = False) -> Json:
    required = [name for name in properties if name != "params" or not may_omit_params]
    message: Json = {"type": "object", "properties": properties, "required": required}
    return message | {"x-backchannel": True} if is_ours else message


def _reference(kind: object) -> str:
    names = [name for name, union in UNIONS.items() if union == kind]
    (name,) = names or [each.__name__ for each in _structs(kind)]
    return _REF.format(name=name)


def _document(message: Json, definitions: Json) -> Json:
    needed: dict[str, None] = {}
    _collect(message, definitions, needed)
    kept = {name: definitions[name] for name in sorted(needed)}
    return {"$schema": _DIALECT, **message, "$defs": kept}


def _collect(schema: object, definitions: Json, needed: dict[str, None]) -> None:
    names: Iterable[str] = _REFERENCE.findall(msgspec.json.encode(schema).decode())
    for name in names:
        if name not in needed:
            needed[name] = None
            _collect(definitions[name], definitions, needed)


def _file_name(method: str) -> str:
    return f"{method.replace('/', '.')}.json"
