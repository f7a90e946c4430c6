from __future__ import annotations

import pytest

from backchannel.core.server_errors import RECOVERABLE, Remedy, remedy_for


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("conversation_already_has_active_response", Remedy.DEFER),
        ("item_truncate_invalid_item_id", Remedy.WARN),
        ("invalid_item_id", Remedy.WARN),
        ("item_not_found", Remedy.WARN),
        ("audio_end_ms_too_large", Remedy.WARN),
        ("response_cancel_not_active", Remedy.WARN),
        ("input_audio_buffer_commit_empty", Remedy.WARN),
        ("rate_limit_exceeded", Remedy.PAUSE),
        ("invalid_value", Remedy.WARN),
        ("unknown_parameter", Remedy.WARN),
        ("session_expired", Remedy.REOPEN),
        ("session_connection_lost", Remedy.REOPEN),
        ("", Remedy.END),
        ("server_error", Remedy.END),
        ("insufficient_quota", Remedy.END),
    ],
)
def test_only_listed_codes_are_survived(code: str, remedy: Remedy) -> None:
    assert remedy_for(code, "whatever it says") is remedy


def test_no_other_code_is_survived() -> None:
    assert len(RECOVERABLE) == 12
    assert Remedy.END not in RECOVERABLE.values()


def test_without_a_code_the_expected_race_is_known_by_its_text() -> None:
    text = "Conversation already has an active response in progress: resp_1"

    assert remedy_for(None, text) is Remedy.DEFER
    assert remedy_for(None, "something else") is Remedy.END
    assert remedy_for("server_error", text) is Remedy.END
