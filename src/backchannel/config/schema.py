"""What may stand in the file, as JSON Schema, for editors and for programs that write one.

It is made from the types by which the file is read, and says what they say. What only the reading can know (whether a
provider that is chosen is defined, whether two spellings agree) it does not say. Other programs' keys may stand beside
ours, so what is unknown is only refused where all keys are ours: under `[realtime]`.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from backchannel.config.values import CALLED_BY_REFERENCE, Audio, Context, Model, Provider, Realtime, Threads
from backchannel.wire.realtime import LISTED_VOICES, TOOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["attribute_docs", "config_schema", "config_schema_text"]

Json: TypeAlias = dict[str, object]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REF: Final = "#/$defs/{name}"
_STRUCTS: Final[tuple[type[msgspec.Struct], ...]] = (Model, Realtime, Context, Audio, Threads, Provider)
_ADDRESS: Final[Json] = {"pattern": "^([Ww][Ss]|[Hh][Tt][Tt][Pp])[Ss]?://."}
_CHECKED: Final[dict[str, Json]] = {
    "backend": {"anyOf": [{"enum": ["local", "openai"]}, _ADDRESS]},
    "base_url": _ADDRESS,
    "call_base_url": _ADDRESS,
    "voice": {"enum": sorted({voice for voices in LISTED_VOICES.values() for voice in voices})},
    "tools": {"items": {"enum": list(TOOLS)}},
}
"""What the reading checks of `[realtime]` beyond the types."""


def config_schema() -> Json:
    """The whole file as one document."""
    _, components = msgspec.json.schema_components(_STRUCTS, ref_template=_REF)
    realtime = _properties(Realtime, components)
    for name, said in _CHECKED.items():
        realtime[name] |= said
    context = _properties(Context, components)
    levels: Json = {"enum": context["level"]["enum"]}
    realtime["context"].pop("$ref")
    realtime["context"].pop("default")
    realtime["context"]["anyOf"] = [_ref(Context), levels]
    providers: Json = {"type": "object", "additionalProperties": _ref(Provider)}
    chosen: Json = {"type": "string", "minLength": 1, "description": "The id of a provider."}
    other_spelling = {
        name: realtime[ours] | {"description": f"The other spelling of `{ours}` under `[realtime]`."}
        for name, ours in CALLED_BY_REFERENCE.items()
    }
    provider = _properties(Provider, components)
    # It is the name of the table.
    del provider["id"]
    return {
        "$schema": _DIALECT,
        "title": "Backchannel configuration",
        "type": "object",
        "properties": {
            **_properties(Model, components),
            "model_provider": chosen,
            "model_providers": providers,
            **{name: _ref(kind) for name, kind in (("realtime", Realtime), ("audio", Audio), ("threads", Threads))},
            **other_spelling,
        },
        "$defs": {
            "Audio": _definition(Audio, _properties(Audio, components)),
            "Context": _definition(Context, context, is_ours=True),
            "Mode": components["Mode"],
            "Provider": _definition(Provider, provider),
            "Realtime": _definition(Realtime, realtime, is_ours=True),
            "Threads": _definition(Threads, _properties(Threads, components)),
        },
    }


def config_schema_text() -> str:
    """The same as a file."""
    return json.dumps(config_schema(), indent=2) + "\n"


def _properties(kind: type[msgspec.Struct], components: Mapping[str, Json]) -> dict[str, Json]:
    """The keys of a table, and what may stand there."""
    properties = components[kind.__name__]["properties"]
    if not isinstance(properties, dict):
        raise TypeError(f"expected the schema of a struct, got that of {kind.__name__}")
    docs = attribute_docs(kind)
    return {name: _of_toml(schema) | _described(docs.get(name)) for name, schema in properties.items()}


def _of_toml(schema: Json) -> Json:
    """The schema of a key in a file, where there is no null: what has no value is left out."""
    match schema:
        case {"anyOf": [dict() as only, {"type": "null"}], "default": None}:
            return only
        case {"default": tuple() as several}:
            return schema | {"default": list(several)}
        case _:
            return schema


def _described(text: str | None) -> Json:
    return {} if text is None else {"description": " ".join(text.split())}


def _definition(kind: type[msgspec.Struct], properties: dict[str, Json], *, is_ours: bool = False) -> Json:
    definition: Json = {"type": "object", "properties": properties}
    return definition | _described(inspect.getdoc(kind)) | ({"additionalProperties": False} if is_ours else {})


def _ref(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": _REF.format(name=kind.__name__)}


def attribute_docs(kind: type) -> dict[str, str]:
    """The texts that stand below the attributes of a class; empty where its source is not at hand."""
    try:
        source = inspect.getsource(kind)
    except OSError:
        return {}
    (definition,) = ast.parse(textwrap.dedent(source)).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(f"expected a class, got {kind}")
    docs: dict[str, str] = {}
    for attribute, after in zip(definition.body, definition.body[1:], strict=False):
        match attribute, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = inspect.cleandoc(text)
            case _:
                pass
    return docs
