"""The configuration in force, printed for a person or a program, without what is secret in it."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Final

from backchannel.config import settings_of, shown_key
from backchannel.net import LEFT_OUT, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from backchannel.config import Loaded, Origin, Setting, SettingValue

__all__ = ["show_config"]

_NAME_AND_PASSWORD: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)
_QUERY: Final = re.compile(r"([?#]).+", re.DOTALL)


def show_config(loaded: Loaded, *, out: TextIO, as_json: bool) -> int:
    """Print what is in force, the defaults too, and where somebody said the rest; return the exit status.

    Args:
        loaded: What was read.
        out: Where to.
        as_json: Whether it is one JSON object, else TOML with remarks.
    """
    if as_json:
        out.write(json.dumps(_as_json(loaded), ensure_ascii=False) + "\n")
    else:
        out.writelines(f"{line}\n" for line in _as_toml(loaded))
    return 0


def _as_json(loaded: Loaded) -> dict[str, object]:
    config: dict[str, object] = {}
    sources: dict[str, object] = {}
    for setting in settings_of(loaded.config):
        *tables, name = setting.key
        place = config
        for table in tables:
            under = place.setdefault(table, {})
            if not isinstance(under, dict):
                raise TypeError(f"expected a table for {table}, got a value")
            place = under
        place[name] = _shown(setting)
        if (origin := loaded.origins.get(setting.key)) is not None:
            sources[shown_key(setting.key)] = {"source": origin.source, "line": origin.line}
    return {"file": loaded.config.source, "config": config, "sources": sources, "notices": loaded.config.notices}


def _as_toml(loaded: Loaded) -> Iterator[str]:
    source = loaded.config.source
    yield "# No file was read." if source is None else f"# Read from {_remark(source)}"
    for table, settings in itertools.groupby(settings_of(loaded.config), key=_table):
        if table:
            yield ""
            yield f"[{_toml_key(table)}]"
        for setting in settings:
            line = f"{_toml_key(setting.key[len(table) :])} = {_toml(_shown(setting))}"
            origin = loaded.origins.get(setting.key)
            yield line if origin is None else f"{line}  # {_place(origin, file=source)}"


def _table(setting: Setting) -> tuple[str, ...]:
    """The table in which a setting stands; the texts of a provider's headers have dotted keys."""
    return setting.key[:2] if setting.key[0] == "model_providers" else setting.key[:-1]


def _place(origin: Origin, *, file: str | None) -> str:
    if origin.source != file:
        return _remark(origin.source)
    return "the file" if origin.line is None else f"line {origin.line}"


def _remark(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _shown(setting: Setting) -> SettingValue:
    match setting.value:
        case _ if setting.is_secret:
            return LEFT_OUT
        case str() as text if setting.is_address:
            without_query = _QUERY.sub(rf"\g<1>{LEFT_OUT}", text, count=1)
            return without_secrets(_NAME_AND_PASSWORD.sub(rf"\g<1>{LEFT_OUT}@", without_query))
        case str() as text:
            return without_secrets(text)
        case tuple() as texts:
            return tuple(map(without_secrets, texts))
        case number:
            return number


def _toml(value: SettingValue) -> str:
    match value:
        case str():
            # Strings of JSON are strings of TOML, but for one character and halves of a pair.
            text = value.encode("utf-8", "replace").decode()
            return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"


def _toml_key(key: tuple[str, ...]) -> str:
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else _toml(part) for part in key)
