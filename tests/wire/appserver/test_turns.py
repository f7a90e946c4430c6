from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backchannel.wire.appserver import Empty, ImageInput, TextInput, decode_params, turns
from tests.wire.appserver.made import N_EXAMPLES, comes_back, made, shapes_of


@pytest.mark.parametrize("kind", shapes_of(turns), ids=lambda kind: kind.__name__)
@settings(max_examples=N_EXAMPLES)
@given(data=st.data())
def test_what_is_written_reads_as_the_same(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    assert comes_back(data.draw(made(kind)))


def decoded(method: str, **params: object) -> turns.TurnStartParams | turns.TurnSteerParams:
    found = decode_params(method, msgspec.Raw(msgspec.json.encode({"threadId": "t", "input": [], **params})))
    assert isinstance(found, turns.TurnStartParams | turns.TurnSteerParams)
    return found


@pytest.mark.parametrize("method", ["turn/start", "turn/steer"])
@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, None),
        ({"responsesapiClientMetadata": None}, None),
        ({"responsesapiClientMetadata": {}}, {}),
        ({"responsesapiClientMetadata": {"fiber_run_id": "run-1"}}, {"fiber_run_id": "run-1"}),
        ({"clientMetadata": {"fiber_run_id": "run-1"}}, {"fiber_run_id": "run-1"}),
        ({"clientMetadata": {"old": "1"}, "responsesapiClientMetadata": {"new": "1"}}, {"new": "1"}),
        ({"clientMetadata": {"old": "1"}, "responsesapiClientMetadata": {}}, {}),
    ],
)
def test_metadata_is_taken_under_both_spellings(
    method: str, given: dict[str, object], taken: dict[str, str] | None
) -> None:
    params = decoded(method, expectedTurnId="turn", **given)

    assert params.responsesapi_client_metadata == taken
    assert params.client_metadata is None
    assert params.responsesapi_client_metadata_patch is None


@pytest.mark.parametrize("method", ["turn/start", "turn/steer"])
def test_a_patch_of_the_metadata_stands_beside_it(method: str) -> None:
    params = decoded(method, expectedTurnId="turn", responsesapiClientMetadataPatch={"patched": "p"})

    assert params.responsesapi_client_metadata_patch == {"patched": "p"}
    assert params.responsesapi_client_metadata is None


def test_the_older_spelling_is_never_written() -> None:
    params = turns.TurnStartParams(thread_id="t", input=(), client_metadata={"key": "value"})

    written = msgspec.json.decode(msgspec.json.encode(params))
    assert written["responsesapiClientMetadata"] == {"key": "value"}
    assert "clientMetadata" not in written


def test_an_effort_is_not_empty() -> None:
    with pytest.raises(ValueError, match="reasoning_effort must not be empty"):
        turns.TurnStartParams(thread_id="t", input=(), effort="")


def test_a_turn_is_written_with_every_field() -> None:
    turn = turns.Turn(id="turn", status="inProgress", items_view="notLoaded")

    assert msgspec.json.decode(msgspec.json.encode(turn)) == {
        "id": "turn",
        "rootTurnId": None,
        "items": [],
        "itemsView": "notLoaded",
        "status": "inProgress",
        "error": None,
        "startedAt": None,
        "completedAt": None,
        "durationMs": None,
    }


def test_an_error_with_more_to_say_is_an_object_of_one_key() -> None:
    failure = turns.HttpFailure(http_status_code=None)
    error = turns.TurnError(
        message="Reconnecting... 2/2", codex_error_info=turns.CodexErrorDetail(response_stream_disconnected=failure)
    )

    assert msgspec.json.decode(msgspec.json.encode(error)) == {
        "message": "Reconnecting... 2/2",
        "codexErrorInfo": {"responseStreamDisconnected": {"httpStatusCode": None}},
        "additionalDetails": None,
        "misalignment": None,
    }


@pytest.mark.parametrize(
    ("texts", "n_chars"),
    [
        (("a" * turns.MAX_INPUT_CHARS,), None),
        (("a" * (turns.MAX_INPUT_CHARS + 1),), turns.MAX_INPUT_CHARS + 1),
        (("\N{SLIGHTLY SMILING FACE}" * turns.MAX_INPUT_CHARS,), None),
        (("a" * 600_000, "b" * 600_000), 1_200_000),
        ((), None),
    ],
)
def test_input_has_a_longest_length_in_characters(texts: tuple[str, ...], n_chars: int | None) -> None:
    error = turns.input_too_large((ImageInput(url="https://example.com"), *(TextInput(text=text) for text in texts)))

    if n_chars is None:
        assert error is None
    else:
        assert error is not None
        assert (error.code, error.message) == (-32602, "Input exceeds the maximum length of 1048576 characters.")
        assert isinstance(error.data, msgspec.Raw)
        assert msgspec.json.decode(error.data) == {
            "input_error_code": "input_too_large",
            "max_chars": 1048576,
            "actual_chars": n_chars,
        }


def test_nothing_is_an_empty_object() -> None:
    assert msgspec.json.encode(Empty()) == b"{}"
