"""As much of JSON Schema as our own schema of the configuration uses, and not a word more."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["problems"]

# Any: JSON, and what TOML has beyond it.
KINDS: dict[str, Any] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
MEANINGLESS = {"$schema", "$defs", "title", "description", "default"}


def problems(document: dict[str, Any], value: object) -> list[str]:
    """What a document does not allow of a value."""
    return list(_problems(document, value, document["$defs"], "."))


def _problems(schema: dict[str, Any], value: Any, definitions: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    for keyword, wanted in schema.items():
        fits = True
        match keyword:
            case "$ref":
                found += _problems(definitions[wanted.removeprefix("#/$defs/")], value, definitions, at)
            case "type":
                fits = KINDS[wanted](value)
            case "enum":
                fits = any(type(value) is type(each) and value == each for each in wanted)
            case "anyOf":
                fits = any(not _problems(each, value, definitions, at) for each in wanted)
            case "minLength":
                fits = not isinstance(value, str) or len(value) >= wanted
            case "pattern":
                fits = not isinstance(value, str) or re.search(wanted, value) is not None
            case "minimum":
                fits = not isinstance(value, int) or value >= wanted
            case "maximum":
                fits = not isinstance(value, int) or value <= wanted
            case "items":
                for number, each in enumerate(value if isinstance(value, list) else ()):
                    found += _problems(wanted, each, definitions, f"{at}{number}.")
            case "properties":
                for name in value if isinstance(value, dict) else ():
                    if name in wanted:
                        found += _problems(wanted[name], value[name], definitions, f"{at}{name}.")
            case "additionalProperties":
                for name in value if isinstance(value, dict) else ():
                    if name in schema.get("properties", {}):
                        continue
                    if wanted is False:
                        found.append(f"{at}{name}: additionalProperties")
                    else:
                        found += _problems(wanted, value[name], definitions, f"{at}{name}.")
            case _ if keyword in MEANINGLESS:
                pass
            case _:
                raise NotImplementedError(f"nobody here knows what {keyword} means; add it")
        if not fits:
            found.append(f"{at}: {keyword}")
    return found
