"""The v1 dialect: the first realtime protocol, where a handoff is a message of its own.

Nothing is asked of the voice here: it decides itself when to speak, and no call waits for an answer. What the agent
says is added to the handoff; a final message is marked by a label.

Source: realtime.md 1.6, 1.7 (outbound), 1.8, 1.9 (inbound), 4.3 and 5.3 (label).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.wire.realtime import events, inbound, intents, outbound
from backchannel.wire.realtime.dialect import Abilities, InstructionChange
from backchannel.wire.realtime.endpoint import AVAS_CALL, Endpoint, Path
from backchannel.wire.realtime.inbound import MAX_U16, MAX_U32, MalformedError, Message, number
from backchannel.wire.realtime.outbound import Json, Messages, capped, encode, row
from backchannel.wire.realtime.voices import V1_VOICES, default_first

if TYPE_CHECKING:
    from backchannel.wire.realtime.session import SessionSettings

__all__ = ["FINAL_LABEL", "STANDALONE_HANDOFF_ID", "V1"]

FINAL_LABEL: Final = '"Agent Final Message":\n\n'
STANDALONE_HANDOFF_ID: Final = "codex"
"""The handoff to which belongs what belongs to none."""


# Outbound


class _AppendHandoff(msgspec.Struct, tag="conversation.handoff.append", gc=False):
    handoff_id: str
    output_text: str


def _append(handoff_id: str, text: str) -> Messages:
    return (encode(_AppendHandoff(handoff_id=handoff_id, output_text=text)),)


def _add_text(intent: intents.AddText) -> Messages:
    return outbound.message_item(intent.role, intent.text)


def _mirror(intent: intents.MirrorTyped) -> Messages:
    return outbound.message_item("user", capped(intent.text, max_tokens=outbound.MAX_MIRRORED_TOKENS))


def _speak(intent: intents.SpeakText) -> Messages:
    return _append(STANDALONE_HANDOFF_ID, capped(intent.text)) if intent.text.strip() else ()


def _report(intent: intents.ReportProgress) -> Messages:
    if intent.handoff_id is None and not intent.text.strip():
        return ()
    label = "" if intent.phase == "commentary" else FINAL_LABEL
    handoff_id = STANDALONE_HANDOFF_ID if intent.handoff_id is None else intent.handoff_id
    return _append(handoff_id, label + capped(intent.text))


def _report_as_item(intent: intents.ReportAsItem) -> Messages:
    text = outbound.item_text(intent)
    return outbound.message_item("developer", text) if text else ()


def _finish(intent: intents.FinishHandoff) -> Messages:
    return _append(intent.handoff_id, FINAL_LABEL + capped(intent.output)) if intent.is_news else ()


def _session(settings: SessionSettings) -> Json:
    return {
        "type": "quicksilver",
        "instructions": settings.instructions,
        "audio": {"input": {"format": outbound.PCM_FORMAT}, "output": {"voice": settings.voice}},
    }


def _update(intent: intents.UpdateSession) -> Messages:
    return (encode({"type": "session.update", "session": _session(intent.settings)}),)


_WRITERS: Final = dict(
    (
        row(intents.AppendAudio, outbound.append_audio),
        row(intents.AddText, _add_text),
        row(intents.MirrorTyped, _mirror),
        row(intents.SpeakText, _speak),
        row(intents.ReportProgress, _report),
        row(intents.ReportAsItem, _report_as_item),
        row(intents.FinishHandoff, _finish),
        row(intents.AnswerCall, outbound.nothing),
        row(intents.RequestResponse, outbound.nothing),
        row(intents.Truncate, outbound.nothing),
        row(intents.ChangeInstructions, outbound.nothing),
        row(intents.UpdateSession, _update),
        row(intents.CloseSession, outbound.nothing),
    )
)


# Inbound


class _Audio(Message, tag="conversation.output_audio.delta"):
    delta: object = None
    data: object = None
    sample_rate: object = None
    channels: object = msgspec.UNSET
    num_channels: object = None
    samples_per_channel: object = None

    def event(self) -> events.AudioOut:
        data = self.delta if isinstance(self.delta, str) else self.data
        rate_hz = number(self.sample_rate, up_to=MAX_U32)
        # The second name counts only where the first is missing, not where it holds nonsense.
        channels = number(self.num_channels if self.channels is msgspec.UNSET else self.channels, up_to=MAX_U16)
        if not isinstance(data, str):
            raise MalformedError("expected a string as delta or data")
        if rate_hz is None:
            raise MalformedError("expected a whole number below 2**32 as sample_rate")
        if channels is None:
            raise MalformedError("expected a whole number below 2**16 as channels")
        samples = number(self.samples_per_channel, up_to=MAX_U32)
        return events.AudioOut(data=data, rate_hz=rate_hz, channels=channels, samples_per_channel=samples)


class _InputTranscription(inbound.InputTranscription, tag="conversation.input_transcript.delta"):
    pass


class _TurnMarked(inbound.InputTranscribed, tag="conversation.input_transcript.turn_marked"):
    pass


class _OutputTranscription(inbound.OutputText, tag="conversation.output_transcript.delta"):
    pass


class _Item(msgspec.Struct, gc=False):
    id: str


class _ItemDone(Message, tag="conversation.item.done"):
    item: _Item

    def event(self) -> events.ItemDone:
        return events.ItemDone(item_id=self.item.id)


class _HandoffRequested(Message, tag="conversation.handoff.requested"):
    handoff_id: str
    item_id: str
    input_transcript: str

    def event(self) -> events.HandoffRequested:
        return events.HandoffRequested(handoff_id=self.handoff_id, item_id=self.item_id, text=self.input_transcript)


class V1:
    """The v1 dialect."""

    name: Final = "v1"
    voices: Final = default_first(V1_VOICES, "cove")
    default_model: Final = "gpt-realtime-1.5"
    endpoint: Final = Endpoint(path=Path.REALTIME, intent="quicksilver", alpha="quicksilver=v1", call_query=AVAS_CALL)
    abilities: Final = Abilities(
        creates_responses=False,
        truncates=False,
        answers_tool_calls=False,
        carries_roles=True,
        replaces_active_handoff=True,
        names_requests=True,
        completes_transcripts=True,
        mixes_transcripts=False,
        tells_speech=False,
        waits_for_session=False,
        configures_sideband=True,
        text_modality=False,
        transcribes=False,
        initial_items=False,
        speaks_by_channel=False,
        streams_reports=False,
        instruction_change=InstructionChange.NONE,
        announces_close=False,
        abnormal_close_is_error=False,
    )

    encode = staticmethod(outbound.encoder(_WRITERS))
    decode = staticmethod(
        inbound.decoder(
            (
                _Audio,
                inbound.InputTranscription,
                _InputTranscription,
                inbound.InputTranscribed,
                _TurnMarked,
                inbound.OutputText,
                inbound.OutputAudioTranscription,
                _OutputTranscription,
                inbound.OutputAudioTranscribed,
                inbound.ItemAdded,
                _ItemDone,
                _HandoffRequested,
                inbound.SessionUpdated,
                inbound.Error,
            )
        )
    )

    def call_session(self, settings: SessionSettings) -> Json:
        """The session as the creation of a call describes it."""
        return {**_session(settings), "model": settings.model or self.default_model}
