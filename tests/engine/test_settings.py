from __future__ import annotations

import json

import msgspec

from backchannel.engine.protocol import NamedTool, SessionBody, SessionPatch
from backchannel.engine.settings import initial_settings, offered_tools, turn_options, updated
from backchannel.engine.turns import TurnOptions
from tests.engine.test_protocol import SESSION_OF_THE_V2_DIALECT

TURNS = TurnOptions(threshold=0.6, prefix_padding_ms=200, silence_duration_ms=400)


def fresh(*, can_speak: bool = True) -> SessionBody:
    return initial_settings(session_id="sess_1", model="m", can_speak=can_speak, turns=TURNS)


def update(body: SessionBody, patch: object, *, can_speak: bool = True) -> SessionBody:
    return updated(body, msgspec.json.decode(json.dumps(patch), type=SessionPatch), can_speak=can_speak, turns=TURNS)


def test_a_session_begins_with_the_engines_defaults() -> None:
    shown = json.loads(msgspec.json.encode(fresh()))
    assert shown["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.6,
        "prefix_padding_ms": 200,
        "silence_duration_ms": 400,
        "create_response": True,
        "interrupt_response": True,
    }
    assert shown["output_modalities"] == ["audio"]
    assert turn_options(fresh(), TURNS) == TURNS


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    body = update(fresh(), SESSION_OF_THE_V2_DIALECT)
    options = turn_options(body, TURNS)
    assert options is not None
    assert (options.threshold, options.silence_duration_ms) == (0.6, 500)
    again = update(body, {"audio": {"output": {"voice": "cedar"}}})
    assert again.instructions == "Be brief."
    assert [tool.name for tool in again.tools] == ["background_agent"]
    assert again.audio.output.voice == "cedar"
    assert again.audio.input == body.audio.input


def test_null_turn_detection_leaves_the_turns_to_the_client() -> None:
    body = update(fresh(), {"audio": {"input": {"turn_detection": None}}})
    assert turn_options(body, TURNS) is None
    back = update(body, {"audio": {"input": {"turn_detection": {"create_response": False}}}})
    assert turn_options(back, TURNS) == TURNS
    assert back.audio.input.turn_detection is not None
    assert back.audio.input.turn_detection.create_response is False
    assert back.audio.input.turn_detection.interrupt_response is True


def test_without_a_synthesizer_answers_are_written_whatever_is_asked_for() -> None:
    body = fresh(can_speak=False)
    assert body.output_modalities == ["text"]
    assert update(body, {"output_modalities": ["audio"]}, can_speak=False).output_modalities == ["text"]


def test_tools_are_offered_as_the_choice_says() -> None:
    names = ["a", "b"]
    assert offered_tools(names, "auto") == {"a", "b"}
    assert offered_tools(names, "required") == {"a", "b"}
    assert offered_tools(names, "none") == frozenset()
    assert offered_tools(names, NamedTool(name="b")) == {"b"}
    assert offered_tools(names, NamedTool(name="c")) == frozenset()
