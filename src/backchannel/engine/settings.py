"""A session's settings: how they begin, what an update makes of them, and what they mean for the turns. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from backchannel.engine.protocol import (
    AudioFormat,
    AudioPatch,
    AudioSettings,
    InputPatch,
    InputSettings,
    OutputPatch,
    OutputSettings,
    SessionBody,
    SessionPatch,
    ToolChoice,
    TurnDetection,
)

if TYPE_CHECKING:
    from backchannel.engine.turns import TurnOptions

__all__ = ["initial_settings", "offered_tools", "turn_options", "updated"]


def initial_settings(*, session_id: str, model: str, can_speak: bool, turns: TurnOptions) -> SessionBody:
    """The settings before the first update."""
    detection = _filled(TurnDetection(), turns)
    return SessionBody(
        id=session_id,
        model=model,
        output_modalities=["audio"] if can_speak else ["text"],
        audio=AudioSettings(input=InputSettings(turn_detection=detection)),
    )


def updated(body: SessionBody, patch: SessionPatch, *, can_speak: bool, turns: TurnOptions) -> SessionBody:
    """The settings after an update; without a synthesizer every answer is written."""
    audio = body.audio
    if patch.audio is not UNSET:
        audio = _audio(audio, patch.audio, turns)
    modalities = body.output_modalities if patch.output_modalities is UNSET else patch.output_modalities
    return msgspec.structs.replace(
        body,
        type=body.type if patch.type is UNSET else patch.type,
        instructions=body.instructions if patch.instructions is UNSET else patch.instructions,
        output_modalities=modalities if can_speak else ["text"],
        audio=audio,
        tools=body.tools if patch.tools is UNSET else patch.tools,
        tool_choice=body.tool_choice if patch.tool_choice is UNSET else patch.tool_choice,
    )


def turn_options(body: SessionBody, turns: TurnOptions) -> TurnOptions | None:
    """The rules for the user's turns; None: the client commits them."""
    detection = body.audio.input.turn_detection
    if detection is None:
        return None
    return dataclasses.replace(
        turns,
        threshold=turns.threshold if detection.threshold is None else detection.threshold,
        prefix_padding_ms=_either(detection.prefix_padding_ms, turns.prefix_padding_ms),
        silence_duration_ms=_either(detection.silence_duration_ms, turns.silence_duration_ms),
    )


def offered_tools(names: list[str], choice: ToolChoice) -> frozenset[str]:
    """The tools that may be called."""
    if choice == "none":
        return frozenset()
    if isinstance(choice, str):
        return frozenset(names)
    return frozenset(name for name in names if name == choice.name)


def _audio(audio: AudioSettings, patch: AudioPatch, turns: TurnOptions) -> AudioSettings:
    heard = audio.input if patch.input is UNSET else _input(audio.input, patch.input, turns)
    spoken = audio.output if patch.output is UNSET else _output(audio.output, patch.output)
    return AudioSettings(input=heard, output=spoken)


def _input(settings: InputSettings, patch: InputPatch, turns: TurnOptions) -> InputSettings:
    detection = settings.turn_detection
    if patch.turn_detection is None:
        detection = None
    elif patch.turn_detection is not UNSET:
        detection = _filled(patch.turn_detection, turns)
    return InputSettings(
        # There is one format; null asks for the default, which it is.
        format=AudioFormat(),
        transcription=settings.transcription if patch.transcription is UNSET else patch.transcription,
        noise_reduction=settings.noise_reduction if patch.noise_reduction is UNSET else patch.noise_reduction,
        turn_detection=detection,
    )


def _output(settings: OutputSettings, patch: OutputPatch) -> OutputSettings:
    return OutputSettings(voice=settings.voice if patch.voice is UNSET else patch.voice)


def _filled(detection: TurnDetection, turns: TurnOptions) -> TurnDetection:
    """The same with the defaults in place of what is absent, so that the client sees what is in force."""
    return TurnDetection(
        type=detection.type,
        threshold=turns.threshold if detection.threshold is None else detection.threshold,
        prefix_padding_ms=_either(detection.prefix_padding_ms, turns.prefix_padding_ms),
        silence_duration_ms=_either(detection.silence_duration_ms, turns.silence_duration_ms),
        create_response=detection.create_response is not False,
        interrupt_response=detection.interrupt_response is not False,
    )


def _either(given: int | None, default: int) -> int:
    return default if given is None else given
