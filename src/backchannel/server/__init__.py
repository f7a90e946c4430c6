"""The app server: JSON-RPC for editors, desktop apps and phones, and the descriptions of its protocol."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from backchannel.server.addresses import Address, read_address
from backchannel.server.serve import ServeOptions, serve
from backchannel.server.tokens import (
    Admission,
    AuthKind,
    AuthOptions,
    CapabilityToken,
    SignedBearerTokens,
    read_admission,
)

if TYPE_CHECKING:
    from backchannel.server.protocol_ts import typescript
    from backchannel.server.schema import json_schema, json_schema_files

__all__ = [
    "Address",
    "Admission",
    "AuthKind",
    "AuthOptions",
    "CapabilityToken",
    "ServeOptions",
    "SignedBearerTokens",
    "json_schema",
    "json_schema_files",
    "read_address",
    "read_admission",
    "serve",
    "typescript",
]

_DESCRIPTIONS: Final = {"json_schema": "schema", "json_schema_files": "schema", "typescript": "protocol_ts"}
"""Whoever serves does not need them, and answers the sooner."""


def __getattr__(name: str) -> object:
    module = _DESCRIPTIONS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    return found
