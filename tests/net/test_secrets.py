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
        ("client_secret_123.json", True),
        ("credentials-prod.json", True),
        ("terraform.tfstate.backup", True),
        (".env-local", True),
        (".env~", True),
        ("passwords.txt", True),
        ("kubeconfig", True),
        ("password_reset.py", False),
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
        ('PASSWORD="correct horse battery"', f'PASSWORD="{LEFT_OUT}"'),
        ("password: 'it is a \"quoted\" one'", f"password: '{LEFT_OUT}'"),
        ('{"password": "two \\"quoted\\" words"}', f'{{"password": "{LEFT_OUT}"}}'),
        ('the password is "correct horse battery"', f'the password is "{LEFT_OUT}"'),
        ("SECRET_KEY=abcdefgh", f"SECRET_KEY={LEFT_OUT}"),
        ("SECRET_KEY_BASE=abcdefgh", f"SECRET_KEY_BASE={LEFT_OUT}"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", f"AWS_SECRET_ACCESS_KEY={LEFT_OUT}"),
        ("PGPASSWORD=hunter2x psql", f"PGPASSWORD={LEFT_OUT} psql"),
        ("dbPassword=hunter2x", f"dbPassword={LEFT_OUT}"),
        ("accessToken: abcdefghij", f"accessToken: {LEFT_OUT}"),
        ("AccountKey=Zm9vYmFyYmF6;Suffix=x", f"AccountKey={LEFT_OUT}"),
        ("password=ab;cdefgh, then", f"password={LEFT_OUT}, then"),
        ("mysql --password hunter2x -u root", f"mysql --password {LEFT_OUT} -u root"),
        ("Authorization: token abcdefghij", f"Authorization: token {LEFT_OUT}"),
        ("postgres://app:p@ss/word@db.local", f"postgres://app:{LEFT_OUT}@db.local"),
        ("postgres://app:pa/ss@db.local", f"postgres://app:{LEFT_OUT}@db.local"),
        ("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX", LEFT_OUT),
        ("xapp-1-A0-111-abcdef", LEFT_OUT),
        ("GOCSPX-abcdefghijklmnopqrstuvwxyz", LEFT_OUT),
        (f"dop_v1_{'a' * 64}", LEFT_OUT),
        (f"AGE-SECRET-KEY-1{'Q' * 40}", LEFT_OUT),
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
        "the password is checked in login()",
        "token budget = 1200, max_tokens=100000",
        "pass --password to set one, or --token instead",
        "http://localhost:8080/@scope/package@1.0",
        "the tokenizer: subwords, and a secretary: Ada",
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
    assert told.count(LEFT_OUT) == 3
    assert len(told) < 101_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a" * 100_000, 0),
        ("-----BEGIN PRIVATE KEY-----" * 3000, 5),
        ("://:" * 25_000, 0),
        ("password " * 11_000, 0),
        ("x://a:" * 16_000, 0),
        ("eyJaaaaaaaa-" * 8000, 0),
        ("password" + " " * 99_000, 0),
        ("bearer" + "\n" * 99_000, 0),
        ("-----BEGIN " + "A" * 99_000, 0),
        ("password='" * 9_000, 4500),
        ("--" * 50_000, 0),
        ("_" * 100_000, 0),
    ],
)
def test_no_text_takes_long(text: str, found: int) -> None:
    # What would take long is ended by the time limit of the test.
    assert without_secrets(text).count(LEFT_OUT) == found
