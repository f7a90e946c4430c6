"""What is asked of the agent of a thread, by a client or by voice."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.core import Note
    from backchannel.wire import appserver

__all__ = ["Ask"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Something asked of the agent."""

    text: str
    content: tuple[appserver.UserInput, ...] = ()
    """As a client sent it; empty for a delegation, which clients do not see."""
    client_id: str | None = None
    metadata: Mapping[str, str] | None = None
    """What the client wants to travel with the requests for a model; None leaves it as it was."""
    metadata_patch: Mapping[str, str] | None = None
    """What it wants to travel besides."""
    output_schema: bytes | None = None
    """The JSON schema of the final message, of the turn that this begins; None: it is free."""
    briefing: tuple[Note, ...] = ()
    by_voice: bool = False

    def metadata_after(self, before: Mapping[str, str]) -> Mapping[str, str]:
        """What travels from now on."""
        return {**(before if self.metadata is None else self.metadata), **(self.metadata_patch or {})}
