"""The ways to a realtime session: a closed choice."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

from backchannel.errors import UsageError
from backchannel.wire.realtime import Modality, Mode

if TYPE_CHECKING:
    from backchannel.wire.realtime import SessionSettings

__all__ = ["Join", "OverExistingCall", "OverWebRtc", "OverWebSocket", "Transport", "check_unconfigured"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """How patiently the sideband of a call is joined. Source: realtime.md 2."""

    n_retries: int | None = None
    """None for as often as the server's settings say."""
    first_delay_s: float = 0.2
    """Before the second try; doubled for each further one, give or take a tenth."""
    deadline_s: float = 30.0
    """For all tries together."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OverWebSocket:
    """Audio and everything else go over one websocket."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OverWebRtc:
    """Audio goes over a WebRTC call that is created here; everything else over its sideband, a websocket."""

    offer_sdp: str = dataclasses.field(repr=False)
    """Of the side that has the microphone."""
    join: Join = Join()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OverExistingCall:
    """As over WebRTC, for a call that somebody else created and configured."""

    call_id: str
    join: Join = Join()


Transport: TypeAlias = OverWebSocket | OverWebRtc | OverExistingCall
"""How a session is reached."""


def check_unconfigured(session: SessionSettings) -> None:
    """Make sure that nothing is set that only the creator of a call can choose; a session id may be.

    Raises:
        UsageError: Something is; names it.
    """
    given = [
        name
        for name, is_given in (
            ("instructions", bool(session.instructions)),
            ("voice", bool(session.voice)),
            ("model", session.model is not None),
            ("mode", session.mode is not Mode.CONVERSATIONAL),
            ("output modality", session.modality is not Modality.AUDIO),
            ("tools", bool(session.tools)),
            ("initial items", bool(session.initial_items)),
            ("delegation ack filler", session.ack_filler is not None),
        )
        if is_given
    ]
    if given:
        raise UsageError(
            f"an existing realtime call is already configured, so these cannot be set: {', '.join(given)}; "
            "leave them out, or create the call here"
        )
