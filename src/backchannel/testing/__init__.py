"""Tools for tests of what uses Backchannel: a scripted server, a clock that stands still, playbooks, WAV helpers."""

from __future__ import annotations

from backchannel.testing.clock import ManualClock
from backchannel.testing.connection import ConnectionGone, Handshake, ReceivedFrame, ScriptedConnection
from backchannel.testing.playbook import Anything, Machine, Matcher, Playbook, SentMatcher, ShownMatcher, sent, shown
from backchannel.testing.script import (
    AcceptAfter,
    Close,
    Drop,
    Expect,
    Pause,
    Refuse,
    Run,
    Script,
    ScriptError,
    Send,
    SendBinary,
    Step,
    of_type,
)
from backchannel.testing.server import ScriptedServer, ServerOptions
from backchannel.testing.wav import (
    Samples,
    Span,
    WavAudio,
    read_wav,
    rms_dbfs,
    samples_from_pcm,
    samples_to_pcm,
    silence,
    speech_spans,
    tone,
    write_wav,
)

__all__ = [
    "AcceptAfter",
    "Anything",
    "Close",
    "ConnectionGone",
    "Drop",
    "Expect",
    "Handshake",
    "Machine",
    "ManualClock",
    "Matcher",
    "Pause",
    "Playbook",
    "ReceivedFrame",
    "Refuse",
    "Run",
    "Samples",
    "Script",
    "ScriptError",
    "ScriptedConnection",
    "ScriptedServer",
    "Send",
    "SendBinary",
    "SentMatcher",
    "ServerOptions",
    "ShownMatcher",
    "Span",
    "Step",
    "WavAudio",
    "of_type",
    "read_wav",
    "rms_dbfs",
    "samples_from_pcm",
    "samples_to_pcm",
    "sent",
    "shown",
    "silence",
    "speech_spans",
    "tone",
    "write_wav",
]
