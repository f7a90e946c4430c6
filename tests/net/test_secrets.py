from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.net import LEFT_OUT, is_secret, without_secrets


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (".env", True),
        ("deploy/.env.production", True),
        (".env.example", False),
        ("keys/server.pem", True),
        ("home/.ssh/config", True),
        ("ID_RSA", True),
        ("app/credentials.json", True),
        ("core/secrets_manager.py", False),
        ("environment.py", False),
        ("README.md", False),
    ],
)
def test_files_that_hold_secrets_are_known(path: str, *, secret: bool) -> None:
    assert is_secret(path) is secret


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("use sk-proj-abcdefghij0123456789 for it", f"use {LEFT_OUT} for it"),
        ("sk-ant-api03-abcdefghijKLMNOPQRST_uv", LEFT_OUT),
        ("push with ghp_abcdefghij0123456789ABCDEF please", f"push with {LEFT_OUT} please"),
        ("github_pat_11ABCDEFG0abcdefghij_more", LEFT_OUT),
        ("glpat-abcdefghij0123456789", LEFT_OUT),
        ("xoxb-1234567890-abcdef", LEFT_OUT),
        ("AKIAABCDEFGHIJKLMNOP is the id", f"{LEFT_OUT} is the id"),
        ("AIzaSyA1234567890abcdefghijklmnopqrstuv", LEFT_OUT),
        ("Authorization: Bearer abcdefghij0123456789", f"Authorization: Bearer {LEFT_OUT}"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc-DEF_123", LEFT_OUT),
        ("postgres://ada:lovelace@db.local/work", f"postgres://ada:{LEFT_OUT}@db.local/work"),
        ("redis://:hunter2@localhost", f"redis://:{LEFT_OUT}@localhost"),
        ("the password is hunter2x, ok", f"the password is {LEFT_OUT}, ok"),
        ("set DB_PASSWORD=hunter2x first", f"set DB_PASSWORD={LEFT_OUT} first"),
        ('{"api_key": "abcdef123"}', f'{{"api_key": "{LEFT_OUT}"}}'),
        ("export OPENAI_API_KEY='abcdef123'", f"export OPENAI_API_KEY='{LEFT_OUT}'"),
        (
            "key:\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----\nend",
            f"key:\n{LEFT_OUT}\nend",
        ),
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str, left: str) -> None:
    assert without_secrets(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "run the tests and fix the token parser",
        "why is the password field empty?",
        "the secret is out",
        "commit 4234015d1c0a3ab2f6c3c0a8a1e1f1d4c5b6a798",
        "see https://example.org/a:b@c and git@host:repo.git",
        "what does sk-learn do, and task-force-one-two-three?",
        "rename pk_id to sk_id",
        "the bearer of news",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text(max_size=300))
def test_nothing_is_added_twice(text: str) -> None:
    once = without_secrets(text)
    assert without_secrets(once) == once


def test_the_ends_of_a_long_text_are_looked_at() -> None:
    key = "ghp_abcdefghij0123456789ABCDEF"
    told = without_secrets(f"{key} {'word ' * 50_000}{key}")
    assert key not in told
    assert told.count(LEFT_OUT) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a" * 100_000, 0),
        ("-----BEGIN PRIVATE KEY-----" * 3000, 5),
        ("://:" * 25_000, 0),
        ("password " * 11_000, 0),
        ("x://a:" * 16_000, 0),
    ],
)
def test_no_text_takes_long(text: str, found: int) -> None:
    # What would take long is ended by the time limit of the test.
    assert without_secrets(text).count(LEFT_OUT) == found
