"""What was said in one place, the file or the `-c` options, and where each key of it stands."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from typing import TYPE_CHECKING, Final

from backchannel.config.values import CALLED_BY_REFERENCE
from backchannel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Key", "Layer", "Table", "file_layer", "kind_of", "option_layer", "shown_key"]

Key = tuple[str, ...]
Table = dict[str, object]

_OPTION: Final = "-c"
_LINE: Final = re.compile(r"\s*\(at line (\d+), column \d+\)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The keys of one place in their clean spelling."""

    source: str
    """The file, or the option."""
    table: Table = dataclasses.field(repr=False)
    text: str | None = dataclasses.field(default=None, repr=False)
    """Of the file."""
    spelled: dict[Key, str]
    """What stood in the other spelling: the clean key, and how it was written."""

    def error(self, key: Key, *, expected: str, got: str) -> ConfigError:
        """What is wrong with a key that stands here, and in which line."""
        written = self.spelled.get(key)
        return ConfigError(
            source=self.source,
            line=self.line_of(key),
            key=shown_key(key) if written is None else written,
            expected=expected,
            got=got,
        )

    def line_of(self, key: Key) -> int | None:
        """The line in which a key, else the nearest table around it, stands; None when it is not found, or no file."""
        written = self.spelled.get(key)
        return None if self.text is None else _line_of(self.text, key if written is None else (written,))

    def has(self, key: Key) -> bool:
        """Whether this key, or something under it, stands here."""
        place: object = self.table
        for name in key:
            if not isinstance(place, dict) or name not in place:
                return False
            place = place[name]
        return True

    def leaves(self) -> Iterator[Key]:
        """Every key that stands here and has no more keys under it."""
        return _leaves(self.table, ())


def file_layer(text: str, *, source: str) -> Layer:
    """The keys of a file.

    Raises:
        ConfigError: It is no TOML, or says something twice and differently.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        said = str(exc)
        at = _LINE.search(said)
        line = int(at[1]) if at else text.count("\n") + 1
        raise ConfigError(source=source, line=line, expected="TOML", got=f"a slip: {_LINE.sub('', said)}") from exc
    return _in_clean_spelling(table, source=source, text=text)


def option_layer(options: Iterable[str]) -> Layer:
    """What was given as `KEY=VALUE`: dotted keys; values in TOML, what is no TOML as it stands. The last one wins.

    Raises:
        ConfigError: One is not of this form, or they say something twice and differently.
    """
    table: Table = {}
    for option in options:
        name, equals, value = option.partition("=")
        key = _split(name.strip())
        if not equals or key is None:
            raise ConfigError(source=_OPTION, expected="KEY=VALUE, such as realtime.voice=marin", got=_form(option))
        place = table
        for part in key[:-1]:
            under = place.get(part)
            if not isinstance(under, dict):
                under = place[part] = {}
            place = under
        place[key[-1]] = _value(value.strip())
    return _in_clean_spelling(table, source=_OPTION, text=None)


def shown_key(key: Key) -> str:
    """A key as a person writes it."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in key)


def kind_of(value: object) -> str:
    """What a value is, for messages that must not show it."""
    match value:
        case "":
            return "an empty text"
        case str():
            return "a text"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or a time"


def _form(option: str) -> str:
    """What may be shown of an option that cannot be read: never its value."""
    name, equals, _ = option.partition("=")
    return f"{name + equals!r} and a value" if equals else "an option without ="


def _value(text: str) -> object:
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    # Line breaks could make more than one key of it.
    return read["value"] if list(read) == ["value"] else text


def _split(name: str) -> Key | None:
    """The parts of a dotted key; None when it is none."""
    try:
        place: object = tomllib.loads(f"{name} = 0")
    except tomllib.TOMLDecodeError:
        return None
    parts = []
    while isinstance(place, dict):
        if len(place) != 1:
            return None
        ((part, place),) = place.items()
        parts.append(part)
    return tuple(parts)


def _in_clean_spelling(table: Table, *, source: str, text: str | None) -> Layer:
    clean = {name: value for name, value in table.items() if name not in CALLED_BY_REFERENCE}
    layer = Layer(source=source, table=clean, text=text, spelled={})
    for name, ours in CALLED_BY_REFERENCE.items():
        if name not in table:
            continue
        realtime = clean.get("realtime", {})
        if not isinstance(realtime, dict):
            raise layer.error(("realtime",), expected="a table", got=kind_of(realtime))
        if ours in realtime and realtime[ours] != table[name]:
            key = f"realtime.{ours} and {name}"
            line = None if text is None else _line_of(text, (name,))
            expected = "one of them, or the same value in both"
            raise ConfigError(source=source, line=line, key=key, expected=expected, got="two different values")
        clean["realtime"] = {**realtime, ours: table[name]}
        if ours not in realtime:
            layer.spelled["realtime", ours] = name
    realtime = clean.get("realtime")
    if isinstance(realtime, dict) and isinstance(realtime.get("context"), str):
        clean["realtime"] = {**realtime, "context": {"level": realtime["context"]}}
    return layer


def _leaves(place: Table, above: Key) -> Iterator[Key]:
    for name, value in place.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name)


def _line_of(text: str, key: Key) -> int | None:
    """The line in which a key, else the nearest table around it, stands; None when it is not found.

    It looks for what people write, one key a line, and is only for messages.
    """
    found: tuple[int, int] | None = None
    table: Key = ()
    inside: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if inside is not None:
            # The lines of a long text are no keys.
            inside = None if inside in line else inside
            continue
        if header := re.match(r"\s*\[\[?([^\[\]]+)\]", line):
            here = table = _split(header[1].strip()) or ()
        elif "=" in line:
            name, _, value = line.partition("=")
            here = (*table, *(_split(name.strip()) or ("",)))
            inside = next((quotes for quotes in ('"""', "'''") if value.count(quotes) == 1), None)
        else:
            continue
        if here == key[: len(here)] and (found is None or len(here) > found[0]):
            found = (len(here), number)
    return None if found is None else found[1]
