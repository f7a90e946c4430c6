"""What can be chosen about a conversation: a value that stands in every recording."""

from __future__ import annotations

import msgspec

from backchannel.core.floor import Speech
from backchannel.core.reports import Risk
from backchannel.wire.realtime import intents

__all__ = ["Options"]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be chosen about a conversation."""

    speech: Speech = Speech.MILESTONES
    """Of what the voice speaks unasked."""
    quiet_ms: int = 700
    """How long nobody has spoken before the voice speaks unasked."""
    mirror_typed_text: bool = True
    """Whether the voice is told what the user types to the agent."""
    reconnect: bool = True
    """Whether a lost connection is made again; else it ends the conversation."""
    give_up_after_s: float = 600.0
    """How long an outage may last."""
    rotate_after_s: float | None = 3300.0
    """When a session is replaced by a new one, in a moment of quiet, before the server ends it; None: never."""
    session_outlives_way: bool = False
    """Whether the server's session goes on when the way to it is lost, as a call's does; else a new one begins."""
    fatal_errors: bool = False
    """Whether every error that the server reports ends the conversation, as with the reference."""
    client_managed_handoffs: bool = False
    """Whether the client, not we, tells the voice what the agent says and answers its calls."""
    reports_as_items: bool = False
    """Whether what the agent says reaches the voice as a developer's message. Source: realtime.md 5.5."""
    report_prefix: str | None = None
    """Stands before each of those."""
    hands_over_tail: bool = False
    """Whether the agent is told, with its next turn, what was said since the last delegation when the conversation
    ends. Source: realtime.md 7.3."""
    report_channel: intents.Channel | None = None
    """The channel of all that the agent says, where the client has chosen one. Source: realtime.md 5.4."""
    tells_thoughts: bool = False
    """Whether the voice is let know what the agent thinks, silently, in dialects where a text can be marked so. Source:
    realtime.md 5.6."""
    report_tags: dict[str, tuple[str, ...]] | None = None
    """Where a text says whether it may be spoken: how one of the agent begins that is `analysis` or `commentary`, which
    may not; every other one may. None: that is not looked at. Source: realtime.md 5.4."""
    on_screen_risks: tuple[Risk, ...] = (Risk.DELETE, Risk.FORCE_PUSH, Risk.NETWORK, Risk.OUTSIDE_WORKSPACE)
    """What is never approved by voice. Nothing is where the server does not tell when the user begins to speak, and
    over a call, where nobody here knows when the voice has been heard."""
    approval_expires_s: float = 300.0
    """How long the agent's request for permission may stay unanswered."""
    creates_responses: bool = True
    """Whether the dialect asks for responses (`Abilities.creates_responses`)."""
    speaks_by_channel: bool = False
    """Whether in the dialect a text says whether it may be spoken (`Abilities.speaks_by_channel`)."""
    streams_reports: bool = False
    """Whether in the dialect a message of the agent can be passed on while it is being written
    (`Abilities.streams_reports`)."""
    names_requests: bool = True
    """Whether in the dialect a delegation says what is asked (`Abilities.names_requests`)."""
    completes_transcripts: bool = True
    """Whether in the dialect the server tells when somebody has said their say (`Abilities.completes_transcripts`)."""
    mixes_transcripts: bool = True
    """Whether in the dialect pieces of what both say come by turns while both speak
    (`Abilities.mixes_transcripts`)."""
    tells_speech: bool = True
    """Whether in the dialect the server tells when the user begins and stops to speak (`Abilities.tells_speech`)."""
    replaces_active_handoff: bool = False
    """Whether in the dialect a new delegation takes the place of the active one."""
