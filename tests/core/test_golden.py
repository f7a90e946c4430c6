"""What the core decides, beside the recordings of the reference (tests/golden), with the switches set as it behaves.

The messages that the reference received are fed in their order, between them what its client and its agent did.
"""

from __future__ import annotations

import itertools
import json
from typing import Final, TypeAlias

import msgspec
import pytest

from backchannel.core import (
    AgentMessage,
    AgentTurnEnded,
    Conversation,
    Options,
    Outcome,
    Phase,
    Speech,
    effects,
    events,
)
from backchannel.wire import pcm
from backchannel.wire.realtime import DIALECTS, Dialect
from backchannel.wire.realtime import events as server
from tests.wire.golden import load, reduced

UNICODE: Final = 'unié中\N{SLIGHTLY SMILING FACE} "q" \\ \n\t\x07 </x>'
V3_RESULT: Final = "v3 result " + "x" * 600

Step: TypeAlias = "int | events.Event"
"""So many messages of the server, or something that happened here."""


def appended(text: str, role: str = "user") -> events.Event:
    return msgspec.convert({"type": "text_appended", "text": text, "role": role}, events.TextAppended)


def says(text: str, phase: Phase = Phase.FINAL) -> events.Event:
    return AgentMessage(turn_id="turn_1", text=text, phase=phase)


DONE: Final = AgentTurnEnded(turn_id="turn_1", outcome=Outcome.COMPLETED)
TEXTS: Final = (
    1,
    appended("hello"),
    appended("dev text", "developer"),
    appended("assistant text", "assistant"),
    appended(UNICODE),
    appended(""),
    events.SpeechAppended(text="say this"),
    1,
    appended("while a response is active"),
    1,
)
SCRIPTS: Final[dict[str, tuple[Step, ...]]] = {
    "13a_append_text_v2": TEXTS,
    "13b_append_text_v1": TEXTS,
    "15a_audio_out_v2": (10,),
    "16a_transcripts_v2": (15,),
    "16b_transcripts_v1": (16,),
    "17a_background_agent": (5, says("step one", Phase.COMMENTARY), says("the result"), DONE),
    "17c_background_agent_tool": (2, says("shell finished"), DONE),
    "18_steer_second_call": (3, says("steered result"), DONE),
    "19_remain_silent": (5,),
    "20c_active_response_error": (2, says("result while active"), DONE, 1),
    "22a_error_event_message": (2,),
    "22c_error_event_odd": (3,),
    "25a_typed_turn_v2": (
        1,
        events.TextTyped(text="typed"),
        says("typed progress", Phase.COMMENTARY),
        1,
        says("typed answer"),
        DONE,
        # Another client's turn, which nobody asked for here.
        AgentMessage(turn_id="other", text="unscripted reply 2", phase=Phase.FINAL),
        1,
    ),
    "25c_typed_then_delegation": (1, events.TextTyped(text="typed"), 1, says("combined answer"), DONE),
    "26h_webrtc_request_v1_handoff": (1, appended("sideband text"), 2, says("sideband result"), DONE),
    "30a_malformed_v2": (25,),
    "31_v3_session": (
        1,
        appended("v3 text"),
        appended("v3 dev", "developer"),
        events.SpeechAppended(text="v3 speech"),
        5,
        says("v3 step", Phase.COMMENTARY),
        says(V3_RESULT),
        DONE,
        1,
    ),
}


def as_the_reference(dialect: Dialect) -> Options:
    abilities = dialect.abilities
    return Options(
        speech=Speech.IMMEDIATE,
        mirror_typed_text=False,
        reconnect=False,
        fatal_errors=True,
        creates_responses=abilities.creates_responses,
        speaks_by_channel=abilities.speaks_by_channel,
        streams_reports=abilities.streams_reports,
        names_requests=abilities.names_requests,
        completes_transcripts=abilities.completes_transcripts,
        mixes_transcripts=abilities.mixes_transcripts,
        tells_speech=abilities.tells_speech,
        replaces_active_handoff=abilities.replaces_active_handoff,
    )


class Peer:
    """A conversation that is told a script, and what it says in a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.conversation = Conversation(as_the_reference(dialect))
        self.sent: list[dict[str, object]] = []
        self.now = 0.0
        self.feed(events.TransportOpened())

    def feed(self, event: events.Event) -> None:
        self.now += 0.05
        for effect in self.conversation.handle(event, self.now):
            if isinstance(effect, effects.Send):
                self.sent += [reduced(json.loads(message)) for message in self.dialect.encode(effect.intent)]

    def hear(self, frame: str) -> None:
        match self.dialect.decode(frame):
            case server.AudioOut() as audio:
                duration_ms = pcm.ms_for_bytes(pcm.base64_decoded_bytes(audio.data))
                self.feed(events.AudioReceived(item_id=audio.item_id, duration_ms=duration_ms))
            case server.Skipped():
                pass
            case event:
                self.feed(event)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_core_says_what_the_reference_says(name: str) -> None:
    (connection,) = load(name).connections
    names = {"quicksilver=v1": "v1", None: "v2", "quicksilver=v2": "v3"}
    peer = Peer(DIALECTS[names[connection.opened.alpha]])
    frames = iter(connection.frames)
    for step in SCRIPTS[name]:
        if not isinstance(step, int):
            peer.feed(step)
            continue
        for frame in itertools.islice(frames, step):
            peer.hear(frame)

    expected = [
        message
        for message in connection.sent[1:]
        if not str(message["type"]).endswith(("audio_buffer.append", "audio.append"))
    ]
    assert list(map(json.dumps, peer.sent)) == list(map(json.dumps, expected))
