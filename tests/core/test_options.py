from __future__ import annotations

import ast
import inspect
import itertools
from typing import Final

import msgspec
import pytest

from backchannel.core import Options, Risk, Speech
from backchannel.core import options as module

DEFAULTS: Final[dict[str, object]] = {
    "speech": Speech.MILESTONES,
    "quiet_ms": 700,
    "mirror_typed_text": True,
    "reconnect": True,
    "give_up_after_s": 600.0,
    "rotate_after_s": 3300.0,
    "session_outlives_way": False,
    "fatal_errors": False,
    "client_managed_handoffs": False,
    "reports_as_items": False,
    "report_prefix": None,
    "hands_over_tail": False,
    "report_channel": None,
    "tells_thoughts": False,
    "report_tags": None,
    "on_screen_risks": (Risk.DELETE, Risk.FORCE_PUSH, Risk.NETWORK, Risk.OUTSIDE_WORKSPACE),
    "approval_expires_s": 300.0,
    "creates_responses": True,
    "speaks_by_channel": False,
    "streams_reports": False,
    "names_requests": True,
    "completes_transcripts": True,
    "mixes_transcripts": True,
    "tells_speech": True,
    "replaces_active_handoff": False,
}
OTHERS: Final = Options(
    speech=Speech.IMMEDIATE,
    quiet_ms=0,
    mirror_typed_text=False,
    reconnect=False,
    give_up_after_s=1.5,
    rotate_after_s=None,
    session_outlives_way=True,
    fatal_errors=True,
    client_managed_handoffs=True,
    reports_as_items=True,
    report_prefix="From the agent:",
    hands_over_tail=True,
    report_channel="commentary",
    tells_thoughts=True,
    report_tags={"analysis": ("[A]",)},
    on_screen_risks=(),
    approval_expires_s=2.5,
    creates_responses=False,
    speaks_by_channel=True,
    streams_reports=True,
    names_requests=False,
    completes_transcripts=False,
    mixes_transcripts=False,
    tells_speech=False,
    replaces_active_handoff=True,
)


def test_every_option_has_its_default() -> None:
    # They stand in every recording: one that lacks an option was made with this value.
    assert msgspec.structs.asdict(Options()) == DEFAULTS


def test_what_is_never_approved_by_voice_is_every_known_risk_unless_somebody_chooses() -> None:
    assert set(Options().on_screen_risks) == set(Risk)


def test_every_option_says_what_it_is() -> None:
    (declared,) = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    _, *body = declared.body
    fields = [node.target.id for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    documented = [
        field.target.id
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    ]
    assert fields == documented == list(DEFAULTS)


@pytest.mark.parametrize("options", [Options(), OTHERS])
def test_options_come_back_as_they_were_written(options: Options) -> None:
    assert msgspec.json.decode(msgspec.json.encode(options), type=Options) == options


def test_every_other_choice_differs_from_the_default() -> None:
    assert [name for name, value in DEFAULTS.items() if getattr(OTHERS, name) == value] == []


# As they were before there was more to choose.
OLDER: Final = (
    b'{"speech":"results","quiet_ms":500,"mirror_typed_text":true,"creates_responses":true,'
    b'"replaces_active_handoff":false}'
)


@pytest.mark.parametrize(
    ("recorded", "meant"), [(b"{}", Options()), (OLDER, Options(speech=Speech.RESULTS, quiet_ms=500))]
)
def test_the_options_of_an_older_recording_are_read_with_the_defaults_of_what_they_lack(
    recorded: bytes, meant: Options
) -> None:
    assert msgspec.json.decode(recorded, type=Options) == meant


@pytest.mark.parametrize(
    ("recorded", "problem"),
    [
        (b'{"quiet_s":5}', "unknown field `quiet_s`"),
        (b'{"quiet_ms":"5"}', r"got `str` - at `\$.quiet_ms`"),
        (b'{"speech":"loud"}', r"'loud' - at `\$.speech`"),
        (b'{"on_screen_risks":["fire"]}', r"'fire' - at `\$.on_screen_risks"),
    ],
)
def test_what_is_not_an_option_is_refused_by_its_name(recorded: bytes, problem: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.json.decode(recorded, type=Options)


def test_options_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Options().quiet_ms = 5  # type: ignore[misc]
