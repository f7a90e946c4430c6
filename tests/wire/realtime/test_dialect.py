from __future__ import annotations

import dataclasses
from typing import Final

import pytest

from backchannel.wire.realtime import DIALECTS, V2, Abilities, InstructionChange, unexpected_close

ABILITIES: Final = {
    "v1": Abilities(
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
    ),
    "v2": Abilities(
        creates_responses=True,
        truncates=True,
        answers_tool_calls=True,
        carries_roles=True,
        replaces_active_handoff=False,
        names_requests=True,
        completes_transcripts=True,
        mixes_transcripts=False,
        tells_speech=True,
        waits_for_session=False,
        configures_sideband=True,
        text_modality=True,
        transcribes=True,
        initial_items=False,
        speaks_by_channel=False,
        streams_reports=False,
        instruction_change=InstructionChange.REPLACE,
        announces_close=False,
        abnormal_close_is_error=False,
    ),
    "v3": Abilities(
        creates_responses=False,
        truncates=False,
        answers_tool_calls=False,
        carries_roles=False,
        replaces_active_handoff=True,
        names_requests=True,
        completes_transcripts=True,
        mixes_transcripts=True,
        tells_speech=False,
        waits_for_session=True,
        configures_sideband=False,
        text_modality=False,
        transcribes=False,
        initial_items=True,
        speaks_by_channel=True,
        streams_reports=True,
        instruction_change=InstructionChange.NONE,
        announces_close=False,
        abnormal_close_is_error=True,
    ),
    "live": Abilities(
        creates_responses=False,
        truncates=False,
        answers_tool_calls=False,
        carries_roles=False,
        replaces_active_handoff=True,
        names_requests=False,
        completes_transcripts=False,
        mixes_transcripts=True,
        tells_speech=False,
        waits_for_session=True,
        configures_sideband=False,
        text_modality=False,
        transcribes=False,
        initial_items=True,
        speaks_by_channel=True,
        streams_reports=False,
        instruction_change=InstructionChange.APPEND,
        announces_close=True,
        abnormal_close_is_error=True,
    ),
}


def test_each_dialect_has_these_abilities() -> None:
    assert {name: dialect.abilities for name, dialect in DIALECTS.items()} == ABILITIES


def test_each_dialect_is_reached_like_this() -> None:
    reached = {
        name: (dialect.endpoint.path.value, dialect.endpoint.intent, dialect.endpoint.alpha, dialect.default_model)
        for name, dialect in DIALECTS.items()
    }

    assert reached == {
        "v1": ("/realtime", "quicksilver", "quicksilver=v1", "gpt-realtime-1.5"),
        "v2": ("/realtime", None, None, "gpt-realtime-1.5"),
        "v3": ("/live", None, "quicksilver=v2", "gpt-live-1-codex"),
        "live": ("/live/sessions", None, None, "gpt-live-1"),
    }
    assert {name for name, dialect in DIALECTS.items() if not dialect.endpoint.model_in_query} == {"live"}


def test_abilities_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        V2().abilities.truncates = False  # type: ignore[misc]  # this is what must not work


@pytest.mark.parametrize(
    ("name", "code", "complaint"),
    [
        ("v1", 1000, None),
        ("v1", 1011, None),
        ("v1", None, None),
        ("v2", 1011, None),
        ("v2", None, None),
        ("v3", 1000, None),
        ("v3", 1011, "the server closed the session with code 1011, expected code 1000"),
        ("v3", None, "the server closed the session without saying why, expected code 1000"),
        ("live", 1000, None),
        ("live", 1006, "the server closed the session with code 1006, expected code 1000"),
    ],
)
def test_the_close_of_a_websocket_is_its_end_or_a_failure(name: str, code: int | None, complaint: str | None) -> None:
    assert unexpected_close(DIALECTS[name].abilities, code) == complaint
