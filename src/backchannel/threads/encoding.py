"""Entries as JSON, and texts as columns: nothing is lost, also of what has no UTF-8.

Names of files may hold bytes that are no UTF-8; Python carries them as lone surrogates. In JSON these are written as
escapes. In a column such a text is a blob, all others are text, so that the usual tools show them.
"""

from __future__ import annotations

import json
from typing import Final, TypeVar, overload

import msgspec

from backchannel.threads.entries import Entry

__all__ = ["decode_entry", "encode_entry", "encode_value", "from_column", "to_column"]

_T = TypeVar("_T")
_ENTRY: Final[msgspec.json.Decoder[Entry]] = msgspec.json.Decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    """The JSON of an entry."""
    return encode_value(entry)


def encode_value(value: object) -> bytes:
    """The JSON of a value that msgspec can encode."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode()


def decode_entry(data: bytes) -> Entry:
    """The entry of that JSON.

    Raises:
        ValueError: It is none.
    """
    try:
        return _ENTRY.decode(data)
    except msgspec.DecodeError:
        # Where it says that an escape is no character: this one takes it.
        try:
            entry: Entry = msgspec.convert(json.loads(data), Entry)
        except (msgspec.ValidationError, RecursionError) as exc:
            raise ValueError(str(exc)) from exc
        return entry


@overload
def to_column(text: str) -> str | bytes: ...
@overload
def to_column(text: None) -> None: ...
def to_column(text: str | None) -> str | bytes | None:
    """A text as it is stored."""
    if text is None:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def from_column(stored: str | bytes) -> str:
    """The text that was stored."""
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")
