"""The app server: JSON-RPC for editors, desktop apps and phones, and the descriptions of its protocol."""

from __future__ import annotations

from backchannel.server.listening import Address, Token, read_address
from backchannel.server.schema import json_schema, json_schema_files
from backchannel.server.serve import ServeOptions, serve
from backchannel.server.typescript import typescript

__all__ = [
    "Address",
    "ServeOptions",
    "Token",
    "json_schema",
    "json_schema_files",
    "read_address",
    "serve",
    "typescript",
]
