"""A configuration as single settings: what each key is called, what it says, and whether that could be a secret."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backchannel.config.layers import Key
    from backchannel.config.values import Config

__all__ = ["Setting", "SettingValue", "settings_of"]

SettingValue: TypeAlias = str | int | bool | tuple[str, ...]

_SECRET: Final = frozenset({"experimental_bearer_token", "http_headers", "query_params"})
_ADDRESSES: Final = frozenset({"backend", "base_url", "call_base_url"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key and what it says."""

    key: Key
    value: SettingValue = dataclasses.field(repr=False)
    is_secret: bool = False
    """Whether it may be a key or a password as a whole."""
    is_address: bool = False
    """Whether it may be an address, which may hold a password."""


def settings_of(config: Config) -> Iterator[Setting]:
    """Every setting that says something, the defaults too, in the order of a file: no table interrupts another."""
    yield from _fields(config.model, ())
    if config.model_provider is not None:
        yield Setting(key=("model_provider",), value=config.model_provider)
    yield from _fields(config.realtime, ("realtime",))
    yield from _fields(config.audio, ("audio",))
    yield from _fields(config.threads, ("threads",))
    for id_, provider in config.providers.items():
        yield from (
            each for each in _fields(provider, ("model_providers", id_)) if each.key != ("model_providers", id_, "id")
        )


def _fields(table: msgspec.Struct, at: Key) -> Iterator[Setting]:
    inside: list[Setting] = []
    for name, value in msgspec.structs.asdict(table).items():
        match value:
            case None:
                continue
            case msgspec.Struct():
                inside += _fields(value, (*at, name))
            case dict():
                for under, text in value.items():
                    yield _setting((*at, name, under), text)
            case _:
                yield _setting((*at, name), value)
    yield from inside


def _setting(key: Key, value: object) -> Setting:
    return Setting(
        key=key,
        value=_plain(value),
        is_secret=not _SECRET.isdisjoint(key[2:4]),
        is_address=key[-1] in _ADDRESSES,
    )


def _plain(value: object) -> SettingValue:
    match value:
        case enum.Enum():
            return str(value.value)
        case str() | int():
            return value
        case tuple():
            return tuple(map(str, value))
        case _:
            raise AssertionError(f"no configuration has a {type(value).__name__}")
