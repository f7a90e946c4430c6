from __future__ import annotations

import pytest

from backchannel.core.restoration import account_of


def test_a_new_session_is_told_what_was_said_and_what_is_being_done() -> None:
    account = account_of("user: run the tests\nassistant: on it", "Still working on “run the tests”.")

    assert "user: run the tests\nassistant: on it" in account
    assert account.endswith("Still working on “run the tests”.")


@pytest.mark.parametrize("said", ["", "user: hello"])
def test_it_is_told_to_go_on_as_if_nothing_had_happened(said: str) -> None:
    account = account_of(said, "Still working.")

    assert [
        words for words in ("under way already", "do not greet", "[BACKEND]", "no call") if words not in account
    ] == []


def test_without_a_task_none_is_mentioned() -> None:
    assert "task" not in account_of("user: hello", None)


def test_where_nothing_was_said_and_nothing_is_done_there_is_nothing_to_tell() -> None:
    assert account_of("", None) == ""
