from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.realtime import TOOLS, Modality, Mode, SessionSettings, Tool, ToolParameter
from tests.wire.realtime.examples import SETTINGS


def test_settings_come_back_from_their_encoding() -> None:
    assert msgspec.json.decode(msgspec.json.encode(SETTINGS), type=SessionSettings) == SETTINGS


def test_a_session_speaks_and_has_no_tools_unless_it_is_told() -> None:
    settings = SessionSettings(instructions="", voice="marin")

    assert settings.modality is Modality.AUDIO
    assert settings.mode is Mode.CONVERSATIONAL
    assert settings.tools == ()
    assert settings.initial_items == ()
    assert (settings.model, settings.ack_filler, settings.session_id) == (None, None, None)


def test_modes_and_modalities_are_named_as_in_configuration() -> None:
    assert [mode.value for mode in Mode] == ["conversational", "transcription"]
    assert [modality.value for modality in Modality] == ["audio", "text"]


def test_the_tools_are_offered_in_this_order() -> None:
    assert list(TOOLS) == [
        "background_agent",
        "remain_silent",
        "agent_status",
        "stop_agent",
        "answer_approval",
        "set_updates",
    ]
    assert all(tool.name == name for name, tool in TOOLS.items())


def test_these_tools_have_parameters() -> None:
    parameters = {
        name: {parameter.name: parameter.choices for parameter in tool.parameters}
        for name, tool in TOOLS.items()
        if tool.parameters
    }

    assert parameters == {
        "background_agent": {"prompt": ()},
        "answer_approval": {"approval_id": (), "decision": ("approve", "decline")},
        "set_updates": {"level": ("silent", "results", "milestones", "chatty")},
    }


@pytest.mark.parametrize(
    ("name", "conveys"),
    [
        ("background_agent", ["every request", "own words", "starts one", "running", "next"]),
        ("remain_silent", ["Say nothing", "for your information", "not meant for you"]),
        ("agent_status", ["doing right now", "does not disturb", "Answer from"]),
        ("stop_agent", ["Stop the task", "cancel"]),
        ("answer_approval", ["user's answer", "only after", "a condition", "ask again", "own words decide"]),
        ("set_updates", ["more or fewer", "silent", "outcomes", "important steps", "everything"]),
    ],
)
def test_a_description_says_when_to_choose_the_tool(name: str, conveys: list[str]) -> None:
    description = TOOLS[name].description

    assert [words for words in conveys if words not in description] == []


def test_the_request_is_described_as_the_users_own_words() -> None:
    (parameter,) = TOOLS["background_agent"].parameters

    assert parameter == ToolParameter(name="prompt", description=parameter.description)
    assert "user's own words" in parameter.description


def test_a_tool_without_parameters_has_none() -> None:
    assert Tool(name="look", description="Look.").parameters == ()
