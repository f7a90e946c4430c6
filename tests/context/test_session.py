from __future__ import annotations

import dataclasses
from typing import Any, Final

import msgspec
import pytest

from backchannel import core
from backchannel.config import Config, Realtime
from backchannel.context import ResolvedSession, StartRequest, Way, resolve_session
from backchannel.errors import UsageError
from backchannel.wire.realtime import DIALECTS, TOOLS, InitialItem, Modality, Mode, SessionSettings

OURS: Final = "You are the voice."
GATHERED: Final = "<startup_context>...</startup_context>"
LONG: Final = "x" * 40_000


def resolved(config: dict[str, Any] | None = None, **request: Any) -> ResolvedSession:
    return resolve_session(
        Config(realtime=Realtime(**(config or {}))),
        StartRequest(**request),
        default_prompt=OURS,
        startup_context=GATHERED,
    )


def refusal(config: dict[str, Any] | None = None, **request: Any) -> str:
    with pytest.raises(UsageError) as caught:
        resolved(config, **request)
    return str(caught.value)


def test_a_session_that_nobody_configured_speaks_v2() -> None:
    session = resolved(thread_id="thread-1")

    assert session == ResolvedSession(
        dialect=DIALECTS["v2"],
        settings=SessionSettings(
            instructions=f"{OURS}\n\n{GATHERED}",
            voice="marin",
            model="gpt-realtime-1.5",
            tools=tuple(TOOLS.values()),
            session_id="thread-1",
        ),
        options=core.Options(),
        headers={"session-id": "thread-1", "thread-id": "thread-1"},
    )


# One key, one change


OVERRIDES: Final[dict[str, tuple[object, dict[str, object]]]] = {
    "type": (Mode.TRANSCRIPTION, {"settings.mode": Mode.TRANSCRIPTION}),
    "voice": ("cedar", {"settings.voice": "cedar"}),
    "model": ("gpt-x", {"settings.model": "gpt-x"}),
    "prompt": ("Be kind.", {"settings.instructions": f"Be kind.\n\n{GATHERED}"}),
    "startup_context": ("Nothing new.", {"settings.instructions": f"{OURS}\n\nNothing new."}),
    "start_instructions": ("Begin.", {"start_instructions": "Begin."}),
    "end_instructions": ("End.", {"end_instructions": "End."}),
    "tools": (
        ("remain_silent", "background_agent"),
        {"settings.tools": (TOOLS["background_agent"], TOOLS["remain_silent"])},
    ),
    "mirror_typed_text": (False, {"options.mirror_typed_text": False}),
    "speech": ("immediate", {"options.speech": core.Speech.IMMEDIATE}),
    "quiet_ms": (0, {"options.quiet_ms": 0}),
    # Where the session is, and what becomes of it, is not what it is told.
    "backend": ("openai", {}),
    "transport": ("webrtc", {}),
    "base_url": ("ws://127.0.0.1:1", {}),
    "call_base_url": ("ws://127.0.0.1:1", {}),
    "reconnect": (False, {"options.reconnect": False}),
    "give_up_after_s": (5, {"options.give_up_after_s": 5.0}),
    "rotate_after_s": (0, {"options.rotate_after_s": None}),
    "on_screen_risks": (("delete",), {"options.on_screen_risks": (core.Risk.DELETE,)}),
    "approval_expires_s": (5, {"options.approval_expires_s": 5.0}),
    "errors": ("fatal", {"options.fatal_errors": True}),
    "context": ("reference", {}),
}


def parts(session: ResolvedSession) -> dict[str, object]:
    """Everything that a session is, by name."""
    found: dict[str, object] = {}
    for field in dataclasses.fields(session):
        value = getattr(session, field.name)
        if isinstance(value, msgspec.Struct):
            found.update((f"{field.name}.{name}", part) for name, part in msgspec.structs.asdict(value).items())
        else:
            found[field.name] = value
    return found


@pytest.mark.parametrize("name", OVERRIDES)
def test_a_key_changes_what_it_is_for_and_nothing_else(name: str) -> None:
    value, changes = OVERRIDES[name]

    assert parts(resolved({name: value}, thread_id="t")) == parts(resolved(thread_id="t")) | changes


def test_every_key_is_among_them() -> None:
    assert {*OVERRIDES, "version"} == set(Realtime.__struct_fields__)


@pytest.mark.parametrize("level", ["silent", "results", "milestones", "chatty", "immediate"])
def test_a_level_of_speech_is_the_cores(level: Any) -> None:
    assert resolved({"speech": level}).options.speech is core.Speech(level)


# Dialect


@pytest.mark.parametrize("way", [Way.WEBSOCKET, Way.WEBRTC])
@pytest.mark.parametrize(
    ("asked", "configured", "name"),
    [(None, None, "v2"), (None, "v1", "v1"), ("v3", None, "v3"), ("v3", "v1", "v3"), ("v2", "v3", "v2")],
)
def test_the_dialect_is_the_requests_else_the_configured_one_however_it_is_reached(
    way: Way, asked: str | None, configured: Any, name: str
) -> None:
    session = resolved({"version": configured}, version=asked, way=way)

    assert session.dialect is DIALECTS[name]


def test_an_existing_call_speaks_v1_unless_another_dialect_is_asked_for() -> None:
    assert resolved({"version": "v3"}, way=Way.EXISTING_CALL).dialect is DIALECTS["v1"]
    assert resolved({"version": "v1"}, way=Way.EXISTING_CALL, version="v3").dialect is DIALECTS["v3"]


def test_an_unknown_dialect_is_refused() -> None:
    assert refusal(version="v9").startswith("unknown dialect 'v9'; choose one of: v1, v2")


# Model


@pytest.mark.parametrize(
    ("asked", "configured", "model"),
    [(None, None, None), (None, "b", "b"), ("a", None, "a"), ("a", "b", "a"), ("", "b", "b")],
)
@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_the_model_is_the_requests_else_the_configured_one_else_the_dialects(
    version: Any, asked: str | None, configured: str | None, model: str | None
) -> None:
    session = resolved({"model": configured, "version": version}, model=asked)

    assert session.settings.model == (model or DIALECTS[version].default_model)


# Voice


@pytest.mark.parametrize(
    ("version", "asked", "configured", "voice"),
    [
        ("v1", None, None, "cove"),
        ("v2", None, None, "marin"),
        ("v3", None, None, "cove"),
        ("v2", None, "cedar", "cedar"),
        ("v2", "alloy", "cedar", "alloy"),
        ("v2", "alloy", "cove", "alloy"),
        ("v1", "juniper", None, "juniper"),
    ],
)
def test_the_voice_is_the_requests_else_the_configured_one_else_the_dialects(
    version: Any, asked: str | None, configured: str | None, voice: str
) -> None:
    assert resolved({"version": version, "voice": configured}, voice=asked).settings.voice == voice


def test_the_configured_voice_counts_for_calls_too() -> None:
    assert resolved({"voice": "cedar"}, way=Way.WEBRTC).settings.voice == "cedar"


@pytest.mark.parametrize(("version", "voice"), [("v1", "marin"), ("v2", "cove"), ("v3", "cedar"), ("v2", "")])
def test_a_voice_of_another_dialect_is_refused(version: Any, voice: str) -> None:
    assert refusal({"version": version}, voice=voice).startswith(f"{version} has no voice '{voice}'; choose one of: ")
    assert refusal(version=version, voice=voice).startswith(f"{version} has no voice '{voice}'; choose one of: ")


def test_a_configured_voice_has_to_fit_the_configured_dialect() -> None:
    said = refusal({"version": "v1", "voice": "marin"})

    assert said.startswith("v1 has no voice 'marin'; choose one of: juniper")
    assert "realtime.voice in the configuration" in said


def test_a_configured_voice_has_to_fit_the_dialect_that_is_asked_for() -> None:
    assert "v2 has no voice 'ember'" in refusal({"version": "v1", "voice": "ember"}, version="v2")
    assert resolved({"version": "v1", "voice": "ember"}, version="v2", voice="marin").settings.voice == "marin"
    assert resolved({"version": "v1", "voice": "ember"}, version="v3").settings.voice == "ember"


# Prompt and context


@pytest.mark.parametrize(
    ("asked", "configured", "prompt"),
    [
        (msgspec.UNSET, None, OURS),
        (None, None, ""),
        ("", None, ""),
        ("Be brief.", None, "Be brief."),
        ("  Be brief. \n", None, "  Be brief. \n"),
        (msgspec.UNSET, "Be kind.", "Be kind."),
        (None, "Be kind.", "Be kind."),
        ("", "Be kind.", "Be kind."),
        ("Be brief.", " Be kind.\n", " Be kind.\n"),
        (msgspec.UNSET, "", OURS),
        (None, " \n", ""),
        ("Be brief.", "\t", "Be brief."),
    ],
)
def test_the_prompt_is_the_configured_one_else_the_requests_else_ours(
    asked: Any, configured: str | None, prompt: str
) -> None:
    session = resolved({"prompt": configured}, prompt=asked, include_startup_context=False)

    assert session.settings.instructions == prompt


@pytest.mark.parametrize("asked", [None, ""])
def test_no_prompt_and_no_context_are_empty_instructions(asked: str | None) -> None:
    assert resolved({"startup_context": ""}, prompt=asked).settings.instructions == ""


@pytest.mark.parametrize(
    ("wanted", "configured", "context"),
    [
        (None, None, GATHERED),
        (True, None, GATHERED),
        (False, None, ""),
        (None, "Fixed.", "Fixed."),
        (None, "", ""),
        (True, "", ""),
        (False, "Fixed.", ""),
    ],
)
def test_the_context_is_the_configured_one_else_what_was_gathered(
    *, wanted: bool | None, configured: str | None, context: str
) -> None:
    config = {"startup_context": configured}

    def instructions(prompt: str) -> str:
        return resolved(config, prompt=prompt, include_startup_context=wanted).settings.instructions

    assert instructions("Be brief.") == ("Be brief." if not context else f"Be brief.\n\n{context}")
    assert instructions("") == context


# What else is asked for


def test_what_is_asked_for_goes_into_the_session() -> None:
    items = (InitialItem(role="user", text="hello"),)
    session = resolved(version="v3", initial_items=items, ack_filler=True, session_id="s", thread_id="t")

    assert (session.settings.initial_items, session.settings.ack_filler) == (items, True)
    assert session.settings.session_id == "s"
    assert resolved(modality=Modality.TEXT).settings.modality is Modality.TEXT
    assert resolved().settings.session_id is None


@pytest.mark.parametrize("which", ["start_instructions", "end_instructions"])
def test_instructions_for_the_agent_are_the_requests_else_the_configured_ones(which: str) -> None:
    assert getattr(resolved(), which) is None
    assert getattr(resolved({which: "configured"}), which) == "configured"
    assert getattr(resolved({which: "configured"}, **{which: ""}), which) == ""


@pytest.mark.parametrize(
    ("config", "request_", "words"),
    [
        ({}, {"modality": Modality.TEXT, "version": "v1"}, "v1 cannot answer in text"),
        ({}, {"initial_items": (InitialItem(role="user", text="x"),)}, "cannot begin with initial items"),
        ({}, {"start_instructions": LONG}, "the start instructions for the agent have about 10000 tokens"),
        ({"end_instructions": LONG}, {}, "the end instructions for the agent have about 10000 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(config: dict[str, Any], request_: dict[str, Any], words: str) -> None:
    assert words in refusal(config, **request_)


# Existing calls


def test_an_existing_call_is_told_nothing() -> None:
    config = {name: value for name, (value, _) in OVERRIDES.items() if name != "speech"} | {"voice": "cove"}
    session = resolved(config, way=Way.EXISTING_CALL, thread_id="t")

    assert session.settings == SessionSettings(instructions="", voice="")
    assert session.start_instructions == "Begin."
    assert session.options.quiet_ms == 0
    assert resolved(way=Way.EXISTING_CALL, session_id="s", thread_id="t").settings.session_id == "s"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": "Be brief."}, "prompt"),
        ({"include_startup_context": True}, "startup context"),
        ({"initial_items": (InitialItem(role="user", text="x"),)}, "initial items"),
        ({"model": "m"}, "model"),
        ({"voice": "marin"}, "voice"),
        ({"modality": Modality.TEXT}, "output modality"),
        ({"ack_filler": False}, "delegation ack filler"),
        ({"model": "m", "voice": "marin"}, "model, voice"),
    ],
)
def test_an_existing_call_is_configured_already(given: dict[str, Any], name: str) -> None:
    assert f"so these cannot be set: {name};" in refusal(way=Way.EXISTING_CALL, **given)
    resolved(way=Way.EXISTING_CALL, include_startup_context=False)


def test_instructions_for_the_agent_are_bounded_beside_existing_calls_too() -> None:
    assert "about 10000 tokens" in refusal(way=Way.EXISTING_CALL, end_instructions=LONG)


# Headers


@pytest.mark.parametrize(
    ("request_", "headers"),
    [
        ({}, {}),
        ({"thread_id": "t", "session_id": "s"}, {"session-id": "t", "thread-id": "t"}),
        ({"voice_session_id": "v"}, {"voice-session-id": "v"}),
        ({"originator": "backchannel"}, {}),
        ({"originator": "editor"}, {"originator": "editor"}),
    ],
)
def test_headers_say_whom_a_session_belongs_to(request_: dict[str, Any], headers: dict[str, str]) -> None:
    assert resolved(**request_).headers == headers


def test_a_session_does_not_show_what_is_told_in_it() -> None:
    request = StartRequest(prompt="planted", start_instructions="planted", end_instructions="planted")
    session = resolve_session(Config(), request, default_prompt="")

    assert "planted" not in repr(request) + repr(session)
