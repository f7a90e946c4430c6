"""Reading the configuration: the file, over it what the command was given, each value as its type wants it."""

from __future__ import annotations

import dataclasses
import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import inspect as types

from backchannel.config.files import config_path, find_home, own_config_path
from backchannel.config.layers import Key, Layer, Table, file_layer, kind_of, option_layer, shown_key
from backchannel.config.values import (
    CALLED_BY_REFERENCE,
    MAX_RETRIES,
    OPENAI,
    Audio,
    Config,
    Context,
    Model,
    Provider,
    Realtime,
    Threads,
)
from backchannel.errors import ConfigError, UsageError
from backchannel.wire.realtime import LISTED_VOICES, TOOLS, websocket_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Loaded", "Origin", "find_config", "load_config", "load_with_origins"]

_S = TypeVar("_S", bound=msgspec.Struct)

_BACKENDS: Final = ("local", "openai")
_ADDRESS: Final = "an address that starts with ws://, wss://, http:// or https://"


def load_config(
    env: Mapping[str, str], *, overrides: Iterable[str] = (), strict: bool = False, user_home: Path | None = None
) -> Config:
    """The configuration of this person. It reads a file, so call it in a thread where something else is going on.

    Args:
        env: The environment, which says where the file is.
        overrides: `KEY=VALUE` each; they win over the file.
        strict: Whether a key under `[realtime]` that nobody knows is an error; else it is a notice.
        user_home: None for that of the person whose process this is.

    Raises:
        ConfigError: It cannot be used; says where, what was expected and what came.
    """
    return _read(env, overrides, user_home).config(strict=strict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where somebody said a value."""

    source: str
    """The file, or `-c`."""
    line: int | None
    """In the file, the first being 1; None where that is not known."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The configuration, and where what it says was said."""

    config: Config
    origins: Mapping[Key, Origin]
    """Of each key that somebody gave a value, in its clean spelling, the place whose word counts."""


def load_with_origins(
    env: Mapping[str, str], *, overrides: Iterable[str] = (), user_home: Path | None = None
) -> Loaded:
    """The configuration of this person, as `load_config` reads it, and where its values come from.

    Raises:
        ConfigError: It cannot be used; says where, what was expected and what came.
    """
    reading = _read(env, overrides, user_home)
    return Loaded(config=reading.config(strict=False), origins=reading.origins())


def find_config(env: Mapping[str, str]) -> tuple[Path, bool]:
    """The file that is read, and whether it is there; where none is, the one that would be.

    Raises:
        ConfigError: It cannot be looked for.
        UsageError: There is no place for one.
    """
    home = find_home(env)
    usual = own_config_path(env, platform=sys.platform, user_home=home or Path(os.devnull))
    found = _path(env, home or Path(os.devnull))
    if found is None and usual.is_relative_to(os.devnull):
        raise UsageError(
            "expected a home in which the configuration could be, found none; set HOME or BACKCHANNEL_HOME"
        )
    return (usual, False) if found is None else (found, True)


def _read(env: Mapping[str, str], overrides: Iterable[str], user_home: Path | None) -> _Reading:
    path = _path(env, user_home or find_home(env) or Path(os.devnull))
    layers = [] if path is None else [file_layer(_text(path), source=str(path))]
    layers.append(option_layer(overrides))
    return _Reading(layers, source=None if path is None else str(path))


def _path(env: Mapping[str, str], user_home: Path) -> Path | None:
    try:
        return config_path(env, platform=sys.platform, user_home=user_home)
    except OSError as exc:
        raise _unreadable(str(exc.filename), exc) from exc


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise _unreadable(str(path), exc) from exc
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        raise ConfigError(
            source=str(path), line=line, expected="text in UTF-8", got=f"the byte 0x{exc.object[exc.start]:02x}"
        ) from exc


def _unreadable(path: str, exc: OSError) -> ConfigError:
    reason = exc.strerror or type(exc).__name__
    return ConfigError(source=path, expected="a file that can be read", got=f"a refusal: {reason}")


class _Reading:
    """Makes values of layers, the last of which wins."""

    def __init__(self, layers: list[Layer], *, source: str | None) -> None:
        self._layers = layers
        self._source = source
        self._table: Table = {}
        for layer in layers:
            _overlay(self._table, layer.table)

    def config(self, *, strict: bool) -> Config:
        """All of it."""
        realtime = self._struct(Realtime, ("realtime",), checks=_REALTIME_CHECKS)
        model = self._struct(Model, ())
        audio = self._struct(Audio, ("audio",))
        threads = self._struct(Threads, ("threads",))
        chosen = self._table.get("model_provider")
        if chosen is not None and not (isinstance(chosen, str) and chosen):
            raise self._error(("model_provider",), expected="the id of a provider", got=kind_of(chosen))
        providers = {
            id_: self._provider(id_, checks=_PROVIDER_CHECKS if id_ == chosen else {})
            for id_ in self._inside(("model_providers",))
        }
        notices = self._notices(strict=strict)
        if OPENAI.id in providers:
            del providers[OPENAI.id]
            notices.append(
                f"{self._layer(('model_providers', OPENAI.id)).source}: [model_providers.{OPENAI.id}] is built in and"
                " not changed by this; give your own provider another name"
            )
        return Config(
            source=self._source,
            realtime=realtime,
            model=model,
            audio=audio,
            threads=threads,
            model_provider=chosen,
            providers=providers,
            notices=tuple(notices),
        )

    def origins(self) -> dict[Key, Origin]:
        """Where each value that was said was said last."""
        return {
            key: Origin(source=layer.source, line=layer.line_of(key))
            for layer in self._layers
            for key in layer.leaves()
        }

    def _provider(self, id_: str, *, checks: Mapping[str, _Check]) -> Provider:
        provider = self._struct(Provider, ("model_providers", id_), checks=checks, id=id_)
        return msgspec.structs.replace(
            provider,
            request_max_retries=min(provider.request_max_retries, MAX_RETRIES),
            stream_max_retries=min(provider.stream_max_retries, MAX_RETRIES),
        )

    def _struct(self, kind: type[_S], at: Key, *, checks: Mapping[str, _Check] | None = None, **given: str) -> _S:
        """The struct of a table; what it does not say is the default."""
        table = self._inside(at)
        values: dict[str, Any] = dict(given)  # Any: the fields of whichever struct it is
        for field in msgspec.structs.fields(kind):
            if field.name not in table or field.name in given:
                continue
            key, value = (*at, field.name), table[field.name]
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                values[field.name] = self._struct(field.type, key)
                continue
            try:
                values[field.name] = msgspec.convert(value, field.type)
            except msgspec.ValidationError:
                # Its own words would name the types of Python.
                wanted = types.type_info(field.type)
                raise self._error(key, expected=_words(wanted), got=_shown(value, wanted)) from None
            if checks and field.name in checks and (wrong := checks[field.name](values[field.name])) is not None:
                raise self._error(key, expected=wrong[0], got=wrong[1])
        return kind(**values)

    def _inside(self, at: Key) -> Table:
        place = self._table
        for depth, name in enumerate(at, 1):
            under = place.get(name, {})
            if not isinstance(under, dict):
                raise self._error(at[:depth], expected="a table", got=kind_of(under))
            place = under
        return place

    def _notices(self, *, strict: bool) -> list[str]:
        """What was written and nobody reads: under `[realtime]`, and among the options, where it must be a slip."""
        notices = []
        for layer in self._layers:
            for key in layer.leaves():
                if _is_known(key) or (layer.text is not None and key[0] != "realtime"):
                    continue
                near = difflib.get_close_matches(shown_key(key), _KNOWN, n=1, cutoff=0.75)
                meant = f"; did you mean {near[0]}?" if near else ""
                if strict:
                    raise layer.error(key, expected=f"a key that is known{meant}", got="one that nothing reads")
                notices.append(f"{layer.source}: nothing reads the key {shown_key(key)}{meant or '; leave it out'}")
        return notices

    def _error(self, key: Key, *, expected: str, got: str) -> ConfigError:
        return self._layer(key).error(key, expected=expected, got=got)

    def _layer(self, key: Key) -> Layer:
        """The one whose word counts."""
        return next(layer for layer in reversed(self._layers) if layer.has(key))


def _overlay(below: Table, above: Mapping[str, object]) -> None:
    for name, value in above.items():
        under = below.get(name)
        if isinstance(value, dict):
            merged: Table = dict(under) if isinstance(under, dict) else {}
            _overlay(merged, value)
            below[name] = merged
        else:
            below[name] = value


# Which keys there are


def _is_known(key: Key) -> bool:
    match key:
        case ("realtime", "context", name):
            return name in Context.__struct_fields__
        case ("realtime", name):
            return name in Realtime.__struct_fields__
        case ("audio", name):
            return name in Audio.__struct_fields__
        case ("threads", name):
            return name in Threads.__struct_fields__
        case ("model_providers", _, name, *_):
            return name in Provider.__struct_fields__
        case _:
            return key == ("model_provider",) or (len(key) == 1 and key[0] in Model.__struct_fields__)


_KNOWN: Final = (
    *(f"realtime.{name}" for name in Realtime.__struct_fields__),
    *(f"realtime.context.{name}" for name in Context.__struct_fields__),
    *(f"audio.{name}" for name in Audio.__struct_fields__),
    *(f"threads.{name}" for name in Threads.__struct_fields__),
    *CALLED_BY_REFERENCE,
    *Model.__struct_fields__,
    "model_provider",
)

# What types cannot say

if TYPE_CHECKING:
    _Check = Callable[[Any], tuple[str, str] | None]
    # Any: the type of the field it is for. The answer: what was expected and what came; None when all is well.


def _check_backend(name: str) -> tuple[str, str] | None:
    if name in _BACKENDS or ("://" in name and _is_address(name)):
        return None
    return f'"local", "openai", or {_ADDRESS}', f'"{name}"' if name.isalnum() else "another text"


def _check_voice(name: str) -> tuple[str, str] | None:
    if any(name in voices for voices in LISTED_VOICES.values()):
        return None
    known = ", ".join(f"{version}: {' '.join(voices)}" for version, voices in LISTED_VOICES.items())
    return f"a voice ({known})", f'"{name}"'


def _check_tools(names: tuple[str, ...]) -> tuple[str, str] | None:
    unknown = next((name for name in names if name not in TOOLS), None)
    return None if unknown is None else (f"names out of {', '.join(TOOLS)}", f'"{unknown}"')


def _check_address(address: str) -> tuple[str, str] | None:
    # What came is not shown: an address may hold a password.
    return None if _is_address(address) else (_ADDRESS, "another text")


def _check_wire_api(name: str) -> tuple[str, str] | None:
    if name == "responses":
        return None
    expected = 'wire_api = "responses"; models that only speak another protocol, such as chat completions, are not used'
    return expected, f'"{name}"' if name.isalnum() else "another text"


def _is_address(text: str) -> bool:
    try:
        websocket_url(text)
    except UsageError:
        return False
    return True


_REALTIME_CHECKS: Final[Mapping[str, _Check]] = {
    "backend": _check_backend,
    "voice": _check_voice,
    "tools": _check_tools,
    "base_url": _check_address,
    "call_base_url": _check_address,
}
_PROVIDER_CHECKS: Final[Mapping[str, _Check]] = {"base_url": _check_address, "wire_api": _check_wire_api}

# Words


def _words(kind: types.Type) -> str:
    """What a type wants, for a person."""
    match kind:
        case types.StrType(min_length=1):
            return "a text that is not empty"
        case types.StrType():
            return "a text"
        case types.BoolType():
            return "true or false"
        case types.IntType(ge=least, le=None):
            return f"a whole number from {least}"
        case types.IntType(ge=least, le=most):
            return f"a whole number from {least} to {most}"
        case types.LiteralType(values=values):
            return _one_of(values)
        case types.EnumType(cls=cls):
            return _one_of(member.value for member in cls)
        case types.VarTupleType(item_type=types.LiteralType(values=values)):
            return f"a list, each {_one_of(values)}"
        case types.VarTupleType():
            return "a list of texts"
        case types.DictType():
            return "a table of texts"
        case types.UnionType(types=kinds):
            return " or ".join(_words(each) for each in kinds if not isinstance(each, types.NoneType))
        case _:
            raise AssertionError(kind)


def _one_of(values: Iterable[object]) -> str:
    return "one of " + ", ".join(f'"{value}"' for value in values)


def _shown(value: object, kind: types.Type) -> str:
    """What came. Texts are only shown where a word was expected: elsewhere they could be secrets."""
    kinds = kind.types if isinstance(kind, types.UnionType) else (kind,)
    choice = any(
        isinstance(each, types.LiteralType | types.EnumType | types.IntType | types.BoolType) for each in kinds
    )
    if choice and isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else "a long text"
    if choice and isinstance(value, int | float):
        return str(value).lower()
    return kind_of(value)
