from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.errors import UsageError
from backchannel.server import AuthOptions, CapabilityToken, SignedBearerTokens, read_admission
from backchannel.server.tokens import refusal
from tests.planted import TOKEN, planted_in

if TYPE_CHECKING:
    from pathlib import Path

    from backchannel.server import AuthKind

SECRET = f"{TOKEN}-with-enough-bytes"
SIGNED = SignedBearerTokens(secret=SECRET.encode())
STRICT = SignedBearerTokens(secret=SECRET.encode(), issuer="our-desk", audience="backchannel")
NOT_SIGNED = "expected a JWT that is signed by HS256 with the secret of this server"


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(claims: dict[str, Any], *, header: object = None, secret: str = SECRET, digest: str = "sha256") -> str:
    """A JWT made by hand, so that it can also be one that no library would make."""
    signed = f"{segment(header or {'alg': 'HS256', 'typ': 'JWT'})}.{segment(claims)}"
    signature = hmac.new(secret.encode(), signed.encode(), digest).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def in_s(seconds: float) -> int:
    return int(time.time() + seconds)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


def test_a_signed_token_that_holds_opens() -> None:
    assert SIGNED.refusal(token({"exp": in_s(60)})) is None
    assert SIGNED.refusal(jwt.encode({"exp": in_s(60)}, SECRET, "HS256")) is None


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"exp": -600}, "this token has expired; ask for a new one"),
        ({"exp": 600, "nbf": 600}, "this token does not hold yet; wait, or set the clocks right"),
        ({"nbf": -600}, "expected a token with the claim exp"),
    ],
)
def test_a_token_out_of_its_time_is_refused(times: dict[str, int], said: str) -> None:
    assert SIGNED.refusal(token({name: in_s(offset_s) for name, offset_s in times.items()})) == said


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": None}, "expected a token with the claim exp"),
        ({"exp": "soon"}, NOT_SIGNED),
        ({"exp": [1]}, NOT_SIGNED),
        ({"exp": float("inf")}, NOT_SIGNED),
        ({"exp": 1e300, "nbf": "soon"}, NOT_SIGNED),
    ],
)
def test_a_time_that_is_none_is_refused(claims: dict[str, Any], said: str) -> None:
    assert SIGNED.refusal(token(claims)) == said


@pytest.mark.parametrize(
    ("times", "holds"),
    [
        ({"exp": -20}, True),
        ({"exp": -40}, False),
        ({"exp": 600, "nbf": 40}, False),
        ({"exp": 600, "nbf": 20}, True),
    ],
)
def test_clocks_may_differ_by_half_a_minute(times: dict[str, int], *, holds: bool) -> None:
    claims = {name: in_s(offset_s) for name, offset_s in times.items()}
    assert (SIGNED.refusal(token(claims)) is None) is holds


def test_how_far_clocks_may_differ_can_be_said() -> None:
    exact = SignedBearerTokens(secret=SECRET.encode(), max_clock_skew_s=0)
    lenient = SignedBearerTokens(secret=SECRET.encode(), max_clock_skew_s=300)
    for claims in ({"exp": in_s(-20)}, {"exp": in_s(600), "nbf": in_s(20)}):
        assert exact.refusal(token(claims)) is not None
        assert SIGNED.refusal(token(claims)) is None
    for claims in ({"exp": in_s(-200)}, {"exp": in_s(600), "nbf": in_s(200)}):
        assert SIGNED.refusal(token(claims)) is not None
        assert lenient.refusal(token(claims)) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "our-desk", "aud": "backchannel"},
        {"iss": "our-desk", "aud": ["another", "backchannel"]},
        {"iss": "our-desk", "aud": "backchannel", "sub": 7, "jti": 7, "iat": "whenever"},
    ],
)
def test_who_made_it_and_for_whom_is_looked_at_where_that_was_said(claims: dict[str, Any]) -> None:
    assert STRICT.refusal(token({"exp": in_s(60), **claims})) is None


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "another", "aud": "backchannel"}, "expected a token of the issuer that this server trusts"),
        ({"iss": ["our-desk"], "aud": "backchannel"}, "expected a token of the issuer that this server trusts"),
        ({"iss": "our-desk ", "aud": "backchannel"}, "expected a token of the issuer that this server trusts"),
        ({"aud": "backchannel"}, "expected a token with the claim iss"),
        ({"iss": "our-desk", "aud": "another"}, "expected a token that is for this server"),
        ({"iss": "our-desk", "aud": ["another"]}, "expected a token that is for this server"),
        ({"iss": "our-desk", "aud": {"backchannel": 1}}, "expected a token that is for this server"),
        ({"iss": "our-desk", "aud": []}, "expected a token with the claim aud"),
        ({"iss": "our-desk"}, "expected a token with the claim aud"),
    ],
)
def test_a_token_of_or_for_somebody_else_is_refused(claims: dict[str, Any], said: str) -> None:
    made = token({"exp": in_s(60), **claims})
    assert STRICT.refusal(made) == said
    assert SIGNED.refusal(made) is None


def test_a_signature_with_another_secret_is_refused() -> None:
    assert SIGNED.refusal(token({"exp": in_s(60)}, secret="b" * 40)) == NOT_SIGNED
    header, _, signature = token({"exp": in_s(-600)}).split(".")
    assert SIGNED.refusal(f"{header}.{segment({'exp': in_s(60)})}.{signature}") == NOT_SIGNED


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS384", "HS512", "RS256", "ES256", None, ["HS256"], 7])
def test_the_algorithm_is_not_the_tokens_to_choose(alg: object, digest: str) -> None:
    made = token({"exp": in_s(60)}, header={"alg": alg, "typ": "JWT"}, digest=digest)
    assert SIGNED.refusal(made) == NOT_SIGNED
    assert SIGNED.refusal(f"{made.rpartition('.')[0]}.") == NOT_SIGNED


@pytest.mark.parametrize("extra", [{"crit": ["b64"], "b64": False}, {"crit": ["exp"]}, {"crit": []}])
def test_what_is_critical_and_not_understood_is_refused(extra: dict[str, object]) -> None:
    assert SIGNED.refusal(token({"exp": in_s(60)}, header={"alg": "HS256", **extra})) == NOT_SIGNED


@given(st.one_of(st.text(), st.text(alphabet="eyJ0.=-_[]{}\x00\udcff", max_size=60)))
def test_nonsense_is_refused_and_nothing_else(text: str) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 6000).decode()
    for made in (text, f"{text}.{text}.{text}", f"{deep}.{text}.{text}"):
        assert SIGNED.refusal(made) is not None
        assert refusal(SIGNED, f"Bearer {made}") is not None


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer{TOKEN}", f"Bearer: {TOKEN}"]
)
def test_another_header_is_refused_and_says_what_was_expected(header: str) -> None:
    admission = CapabilityToken(hashlib.sha256(TOKEN.encode()).hexdigest())
    assert refusal(admission, f"bearer  {TOKEN} ") is None
    assert refusal(admission, header) == "expected the header `Authorization: Bearer TOKEN`"
    assert refusal(admission, f"Bearer {TOKEN}x") == "expected the token of this server"


def test_the_hash_of_a_token_is_checked() -> None:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    assert CapabilityToken(digest.upper()).refusal(TOKEN) is None
    for wrong in ("nonsense", digest[:-1], f"{digest}\n"):
        with pytest.raises(UsageError, match="64 hexadecimal digits"):
            CapabilityToken(wrong)


# What was said of them


def test_without_a_word_no_token_is_asked_for() -> None:
    assert read_admission(AuthOptions()) is None


@pytest.mark.parametrize("kind", [None, "capability-token"])
def test_a_token_is_asked_for_where_one_was_given(kind: AuthKind | None, secret_file: Path) -> None:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    assert read_admission(AuthOptions(kind=kind, token_file=secret_file)) == CapabilityToken(digest)
    assert read_admission(AuthOptions(kind=kind, token_sha256=digest)) == CapabilityToken(digest)


@pytest.mark.parametrize("kind", [None, "signed-bearer-token"])
def test_a_signature_is_asked_for_where_a_secret_was_given(kind: AuthKind | None, secret_file: Path) -> None:
    assert read_admission(AuthOptions(kind=kind, secret_file=secret_file)) == SIGNED
    options = AuthOptions(kind=kind, secret_file=secret_file, issuer="our-desk", audience="backchannel")
    assert read_admission(options) == STRICT
    assert read_admission(dataclasses.replace(options, max_clock_skew_s=0)) == dataclasses.replace(
        STRICT, max_clock_skew_s=0
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (AuthOptions(kind="capability-token"), "expected --ws-token-file or --ws-token-sha256 with"),
        (AuthOptions(kind="signed-bearer-token"), "expected --ws-shared-secret-file with --ws-auth signed-bearer"),
        (AuthOptions(issuer="x", audience="y"), "--ws-shared-secret-file with --ws-issuer and --ws-audience, got none"),
        (AuthOptions(max_clock_skew_s=0), "expected --ws-shared-secret-file with --ws-max-clock-skew-seconds"),
        (AuthOptions(kind="signed-bearer-token", token_sha256="x"), "--ws-token-sha256 says nothing about --ws-auth"),
        (AuthOptions(kind="capability-token", issuer="x", token_sha256="x"), "--ws-issuer says nothing about"),
        (AuthOptions(token_sha256="x", audience="x"), "--ws-token-sha256 is for a capability token and --ws-audience"),
    ],
)
def test_what_does_not_go_together_is_said(options: AuthOptions, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_admission(options)
    assert said in str(caught.value)


def test_the_same_token_is_not_given_twice(secret_file: Path) -> None:
    with pytest.raises(UsageError, match="--ws-token-file and --ws-token-sha256 say the same"):
        read_admission(AuthOptions(token_file=secret_file, token_sha256="x"))


def test_a_file_without_a_secret_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff" * 40)
    for options, what in (
        (AuthOptions(token_file=tmp_path / "empty"), "a token"),
        (AuthOptions(secret_file=tmp_path / "empty"), "a shared secret"),
    ):
        with pytest.raises(UsageError, match=f"expected {what} in .*empty, which is empty"):
            read_admission(options)
    for name in ("none", "binary"):
        with pytest.raises(UsageError, match=f"a shared secret at .*{name}, which cannot be read"):
            read_admission(AuthOptions(secret_file=tmp_path / name))


def test_a_secret_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"  {'x' * 31}\n")
    with pytest.raises(UsageError, match="a shared secret of at least 32 bytes, got 31; make one with"):
        read_admission(AuthOptions(secret_file=tmp_path / "secret"))
    (tmp_path / "secret").write_text(f"  {'x' * 32}\n")
    assert read_admission(AuthOptions(secret_file=tmp_path / "secret")) is not None


def test_a_key_of_another_kind_is_no_shared_secret(tmp_path: Path) -> None:
    body = base64.b64encode(SECRET.encode()).decode()
    (tmp_path / "secret").write_text(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    with pytest.raises(UsageError, match="fit for HS256, got a certificate, or a key of another kind") as caught:
        read_admission(AuthOptions(secret_file=tmp_path / "secret"))
    assert planted_in(repr(caught.value)) == []


@pytest.mark.parametrize("name", ["issuer", "audience"])
def test_a_name_that_is_empty_is_no_name(name: str, secret_file: Path) -> None:
    options = AuthOptions(secret_file=secret_file, **{name: ""})  # type: ignore[arg-type] # two of the fields
    with pytest.raises(UsageError, match="got an empty text; leave the option out"):
        read_admission(options)


@pytest.mark.parametrize("skew_s", [-1, 86_401])
def test_a_skew_that_is_none_is_refused(skew_s: int, secret_file: Path) -> None:
    with pytest.raises(UsageError, match=f"a clock skew of 0 to 86400 seconds, got {skew_s}"):
        read_admission(AuthOptions(secret_file=secret_file, max_clock_skew_s=skew_s))


def test_the_secret_is_not_shown() -> None:
    assert planted_in(repr(STRICT) + str(STRICT)) == []
