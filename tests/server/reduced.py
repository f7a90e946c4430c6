"""Reduces a JSON Schema of the protocol to a table: shapes, their fields, and of each field the type and whether null.

    python -m tests.server.reduced EXPERIMENTAL STABLE > tests/golden/app_server_schema.json

makes the table of the reference from what `codex app-server generate-json-schema` wrote to two folders, with and
without `--experimental`. Only facts go into the table: names, types, nullability. What has no name of its own in one
of the schemas is named after what it is part of: `UserInput.text`, `CodexErrorInfo.httpConnectionFailed`.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from backchannel.server import json_schema
from backchannel.wire.appserver import METHODS, NOTIFICATIONS, SERVER_REQUESTS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Shapes", "reduced"]

Json: TypeAlias = dict[str, Any]  # a schema, of which we know only what we look at
Shapes: TypeAlias = dict[str, dict[str, str]]

_FORMATS: Final = {65535: "uint16", 2**32 - 1: "uint32", 2**53 - 1: "uint", 2**31 - 1: "int32", 2**63 - 1: "int64"}
_NO_LIMIT: Final = {"uint64": "uint"}
_ENUM: Final = "one of "


def reduced(definitions: Json) -> Shapes:
    """The shapes of a schema: for each its fields, each with a type in words."""
    shapes: Shapes = {}
    for name, schema in sorted(definitions.items()):
        _reduce(name, schema, definitions, shapes)
    return shapes


def _reduce(name: str, schema: Json, definitions: Json, shapes: Shapes) -> None:
    choices = [_resolved(each, definitions) for each in _alternatives(schema)]
    common = schema.get("properties", {}) if choices else {}
    for choice in choices:
        fields = choice.get("properties", {})
        tag = _tag(fields)
        if tag is not None:
            shapes[f"{name}.{tag}"] = _fields(choice | {"properties": common | fields}, definitions)
        elif not common and fields and choice.get("additionalProperties") is False:
            for key, inside in fields.items():
                shapes[f"{name}.{key}"] = _fields(_resolved(inside, definitions), definitions) or {
                    "": _type(inside, definitions)
                }
    if not choices and schema.get("type") == "object":
        shapes[name] = _fields(schema, definitions)


def _alternatives(schema: Json) -> list[Any]:
    return [*schema.get("oneOf", []), *schema.get("anyOf", [])]


def _tag(fields: Json) -> str | None:
    kind = fields.get("type", {})
    names = kind.get("enum", []) if isinstance(kind, dict) else []
    return names[0] if len(names) == 1 else None


def _resolved(schema: Any, definitions: Json) -> Json:
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        return _resolved(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if len(schema.get("allOf", [])) == 1:
        return _resolved(schema["allOf"][0], definitions)
    return schema


def _fields(schema: Json, definitions: Json) -> dict[str, str]:
    alternatives = [each for each in schema.get("anyOf", []) if "properties" in each]
    properties = dict(schema.get("properties", {}))
    for each in alternatives:
        properties |= each["properties"]
    return {name: _type(each, definitions) for name, each in sorted(properties.items()) if name != "type"}


def _type(schema: Any, definitions: Json) -> str:
    if not isinstance(schema, dict):
        return "any"
    resolved = _resolved(schema, definitions)
    if "anyOf" in resolved or "oneOf" in resolved:
        kinds = {_type(each, definitions) for each in _alternatives(resolved)}
        # What a union has is compared for itself; here it only counts whether there is one.
        rest = kinds - {"null"}
        if rest and all(kind.startswith(_ENUM) for kind in rest):
            rest = {_ENUM + " ".join(sorted(name for kind in rest for name in kind.removeprefix(_ENUM).split()))}
        return " or ".join([*(rest if len(rest) == 1 else ["one of several"]), *sorted(kinds & {"null"})])
    if "enum" in resolved:
        return _ENUM + " ".join(sorted(map(str, resolved["enum"])))
    kinds = resolved.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(_named(name, resolved, definitions) for name in names)


def _named(name: str, schema: Json, definitions: Json) -> str:
    match name:
        case "array":
            return f"list of ({_type(schema.get('items', True), definitions)})"
        case "integer":
            given = str(schema.get("format", _FORMATS.get(schema.get("maximum", 0), "integer")))
            return _NO_LIMIT.get(given, given)
        case "object" if schema.get("additionalProperties", False) is not False:
            return f"map of ({_type(schema['additionalProperties'], definitions)})"
        case _:
            return name


def _reference(experimental: pathlib.Path, stable: pathlib.Path) -> Json:
    folders = {"all": experimental, "stable": stable}
    schemas = {name: _definitions(folder) for name, folder in folders.items()}
    ours = reduced(json_schema()["$defs"])  # type: ignore[arg-type]  # any JSON, of which this part is an object
    theirs = reduced(schemas["all"])
    unions = {name.partition(".")[0] for name in ours if "." in name}
    fields = {
        name: sorted(set(schema.get("properties", {})) - set(schemas["stable"][name].get("properties", {})))
        for name, schema in schemas["all"].items()
        if name.endswith("Params") and name in schemas["stable"]
    }
    methods = {key: _methods(schemas, key) for key in ("ClientRequest", "ServerRequest", "ServerNotification")}
    known: dict[str, Collection[str]] = {
        "ClientRequest": METHODS,
        "ServerRequest": SERVER_REQUESTS,
        "ServerNotification": NOTIFICATIONS,
    }
    return {
        "provenance": {
            "product": "openai/codex, codex app-server",
            "version": "0.169.0",
            "command": "codex app-server generate-json-schema [--experimental] --out DIR",
            "kept": "names, types and nullability of the shapes that Backchannel has too; no text",
        },
        "methods": {
            key: {name: kind for name, kind in found.items() if name in known[key]} for key, found in methods.items()
        },
        "experimental_fields": {name: found for name, found in fields.items() if found and name in ours},
        "shapes": {name: theirs[name] for name in theirs if name in ours or name.partition(".")[0] in unions},
    }


def _definitions(folder: pathlib.Path) -> Json:
    definitions: Json = {}
    for name in ("codex_app_server_protocol.schemas.json", "codex_app_server_protocol.v2.schemas.json"):
        definitions |= json.loads((folder / name).read_text(encoding="utf-8"))["definitions"]
    return {name: schema for name, schema in definitions.items() if name != "v2"}


def _methods(schemas: dict[str, Json], key: str) -> dict[str, str]:
    stable, everything = (
        {each["properties"]["method"]["enum"][0] for each in schemas[name][key]["oneOf"]} for name in ("stable", "all")
    )
    return {name: "stable" if name in stable else "experimental" for name in sorted(everything)}


if __name__ == "__main__":
    json.dump(_reference(*map(pathlib.Path, sys.argv[1:3])), sys.stdout, indent=1, sort_keys=False)
    sys.stdout.write("\n")
