"""What is said of a turn: our own keys stay, the client's stand beside them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents.responses.metadata import MAX_BYTES, RESERVED, render_metadata
from backchannel.net import PostOptions

OURS: dict[str, str | int] = {"session_id": "s", "turn_id": "t", "turn_started_at_unix_ms": 5}


def test_a_client_adds_and_never_replaces() -> None:
    client = {"turn_id": "forged", "session_id": "forged", "sandbox": "forged", "fiber_run_id": "run-1", "b": ""}

    assert render_metadata(OURS, client) == (
        '{"session_id":"s","turn_id":"t","turn_started_at_unix_ms":5,"fiber_run_id":"run-1","b":""}'
    )


def test_every_key_of_ours_is_reserved() -> None:
    assert set(OURS) <= RESERVED


@given(st.dictionaries(st.text(max_size=20) | st.sampled_from(sorted(RESERVED)), st.text(max_size=3000), max_size=12))
def test_whatever_a_client_adds_a_header_can_carry_it(client: dict[str, str]) -> None:
    text = render_metadata(OURS, client)

    PostOptions(url="http://127.0.0.1", body=b"", headers={"x": text})
    assert text.isascii()
    assert len(text) <= MAX_BYTES
    merged = json.loads(text)
    assert {name: merged[name] for name in OURS} == OURS
    assert all(client[name] == value for name, value in merged.items() if name not in OURS)
    assert not (set(merged) - set(OURS)) & RESERVED


def test_what_does_not_fit_is_left_out_and_the_rest_is_not() -> None:
    merged = json.loads(render_metadata(OURS, {"long": "x" * MAX_BYTES, "short": "y"}))

    assert merged == {**OURS, "short": "y"}
    exact = MAX_BYTES - len(render_metadata(OURS, {})) - len(',"k":""')
    assert "k" in json.loads(render_metadata(OURS, {"k": "x" * exact}))
    assert "k" not in json.loads(render_metadata(OURS, {"k": "x" * (exact + 1)}))
