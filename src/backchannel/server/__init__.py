"""The app server. So far: descriptions of its protocol for those who write clients."""

from __future__ import annotations

from backchannel.server.schema import json_schema, json_schema_files
from backchannel.server.typescript import typescript

__all__ = ["json_schema", "json_schema_files", "typescript"]
