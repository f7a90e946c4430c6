"""The app server: JSON-RPC for editors, desktop apps and phones, and the descriptions of its protocol."""

from __future__ import annotations

from backchannel.server.listening import Address, read_address
from backchannel.server.schema import json_schema, json_schema_files
from backchannel.server.serve import ServeOptions, serve
from backchannel.server.tokens import (
    Admission,
    AuthKind,
    AuthOptions,
    CapabilityToken,
    SignedBearerTokens,
    read_admission,
)
from backchannel.server.typescript import typescript

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
