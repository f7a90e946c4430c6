"""Whose websocket is let in: the two kinds of token that a client can be asked for.

A capability token is one secret that all clients share, known here by its SHA-256. A signed bearer token is a JWT, made
by whoever has the shared secret and good until it expires, so that the clients themselves need not know the secret.

Source: app-server.md 1.1; RFC 6750, 7519 and 8725.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final, Literal, Protocol

from backchannel.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Admission",
    "AuthKind",
    "AuthOptions",
    "CapabilityToken",
    "SignedBearerTokens",
    "read_admission",
    "refusal",
]

AuthKind = Literal["capability-token", "signed-bearer-token"]

_DEFAULT_CLOCK_SKEW_S: Final = 30
# More is no skew, but an expiry that nobody minds.
_MAX_CLOCK_SKEW_S: Final = 24 * 60 * 60
_MIN_SECRET_BYTES: Final = 32
# RFC 7518, 3.2: a key of the hash's size, or larger. RFC 8725, 3.1: the algorithm is ours to name, never the token's.
_ALGORITHM: Final = "HS256"


class Admission(Protocol):
    """What a client has to show."""

    def refusal(self, token: str) -> str | None:
        """Why this token does not open the door, in words fit for the client; None when it does."""


@dataclasses.dataclass(frozen=True, slots=True)
class CapabilityToken:
    """One token for all clients, by its SHA-256."""

    sha256: str

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            UsageError: It is no SHA-256.
        """
        if not re.fullmatch("[0-9a-fA-F]{64}", self.sha256):
            raise UsageError("expected the SHA-256 of a token, 64 hexadecimal digits, got something else")

    @classmethod
    def of_file(cls, path: Path) -> CapabilityToken:
        """The token that stands in a file.

        Raises:
            UsageError: It cannot be read, or is empty.
        """
        return cls(hashlib.sha256(_secret_in(path, "a token").encode()).hexdigest())

    def refusal(self, token: str) -> str | None:
        """Why it is not the one; None when it is."""
        given = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        return None if hmac.compare_digest(given, self.sha256.lower()) else "expected the token of this server"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SignedBearerTokens:
    """Tokens that somebody signed with the secret that we share: JWTs with HS256, which have to expire."""

    secret: bytes = dataclasses.field(repr=False)
    issuer: str | None = None
    """Who has to have made them; None for anybody who has the secret."""
    audience: str | None = None
    """For whom they have to be, among others; None for whomever."""
    max_clock_skew_s: int = _DEFAULT_CLOCK_SKEW_S
    """How far the clock of who made them may be from ours."""

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            UsageError: The secret could be guessed, or is a key of another kind; a name is empty, which would fit
                nobody; or the skew is none.
        """
        # Heavy, so only where it is wanted; and now, not when the first client waits.
        import jwt

        if len(self.secret) < _MIN_SECRET_BYTES:
            raise UsageError(
                f"expected a shared secret of at least {_MIN_SECRET_BYTES} bytes, got {len(self.secret)}; make one with"
                " `openssl rand -base64 32`"
            )
        if self.issuer == "" or self.audience == "":
            raise UsageError("expected the name of an issuer or an audience, got an empty text; leave the option out")
        if not 0 <= self.max_clock_skew_s <= _MAX_CLOCK_SKEW_S:
            raise UsageError(
                f"expected a clock skew of 0 to {_MAX_CLOCK_SKEW_S} seconds, got {self.max_clock_skew_s}; clocks that"
                " are further apart want to be set"
            )
        try:
            jwt.encode({}, self.secret, _ALGORITHM)
        except jwt.InvalidKeyError:
            # Its own words may show the key.
            raise UsageError(
                f"expected a shared secret that is fit for {_ALGORITHM}, got a certificate, or a key of another kind;"
                " make one with `openssl rand -base64 32`"
            ) from None

    @classmethod
    def of_file(
        cls,
        path: Path,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        max_clock_skew_s: int = _DEFAULT_CLOCK_SKEW_S,
    ) -> SignedBearerTokens:
        """Tokens that are signed with the secret in a file.

        Raises:
            UsageError: It cannot be read, or is not fit to be one.
        """
        secret = _secret_in(path, "a shared secret").encode()
        return cls(secret=secret, issuer=issuer, audience=audience, max_clock_skew_s=max_clock_skew_s)

    def refusal(self, token: str) -> str | None:
        """Why it does not hold; None when it does."""
        import jwt

        # What its maker says beyond this (when it was made, for whom) is read by nobody, so it may look as it likes.
        options: jwt.types.Options = {
            "require": ["exp"],
            "verify_aud": self.audience is not None,
            "verify_iss": self.issuer is not None,
            "verify_iat": False,
            "verify_jti": False,
            "verify_sub": False,
        }
        if not token.isascii():
            return "expected a JWT"
        try:
            jwt.decode(
                token,
                self.secret,
                algorithms=[_ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.max_clock_skew_s,
                options=options,
            )
        except jwt.ExpiredSignatureError:
            return "this token has expired; ask for a new one"
        except jwt.ImmatureSignatureError:
            return "this token does not hold yet; wait, or set the clocks right"
        except jwt.MissingRequiredClaimError as exc:
            return f"expected a token with the claim {exc.claim}"
        except jwt.InvalidIssuerError:
            return "expected a token of the issuer that this server trusts"
        except jwt.InvalidAudienceError:
            return "expected a token that is for this server"
        except jwt.InvalidTokenError:
            return f"expected a JWT that is signed by {_ALGORITHM} with the secret of this server"
        return None


def refusal(admission: Admission, authorization: str) -> str | None:
    """Why a client with this header is not let in; None when it is."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return "expected the header `Authorization: Bearer TOKEN`"
    return admission.refusal(token.strip())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuthOptions:
    """What a person says of the tokens of clients; None is what was left out."""

    kind: AuthKind | None = None
    token_file: Path | None = None
    token_sha256: str | None = None
    secret_file: Path | None = None
    issuer: str | None = None
    audience: str | None = None
    max_clock_skew_s: int | None = None


def read_admission(options: AuthOptions) -> Admission | None:
    """What clients have to show; None when nothing was said of it.

    Raises:
        UsageError: The options contradict each other, lack one, or name a file that is no use.
    """
    capability = _given({"--ws-token-file": options.token_file, "--ws-token-sha256": options.token_sha256})
    signed = _given(
        {
            "--ws-shared-secret-file": options.secret_file,
            "--ws-issuer": options.issuer,
            "--ws-audience": options.audience,
            "--ws-max-clock-skew-seconds": options.max_clock_skew_s,
        }
    )
    if options.kind is not None and (wrong := signed if options.kind == "capability-token" else capability):
        raise UsageError(f"{wrong[0]} says nothing about --ws-auth {options.kind}; leave one of them out")
    if capability and signed:
        raise UsageError(
            f"{capability[0]} is for a capability token and {signed[0]} for signed ones; leave one of them out"
        )
    if len(capability) > 1:
        raise UsageError(f"{' and '.join(capability)} say the same; leave one of them out")
    if options.kind is None and not capability and not signed:
        return None
    if options.token_file is not None:
        return CapabilityToken.of_file(options.token_file)
    if options.token_sha256 is not None:
        return CapabilityToken(options.token_sha256)
    if options.kind == "capability-token":
        raise UsageError("expected --ws-token-file or --ws-token-sha256 with --ws-auth capability-token, got neither")
    if options.secret_file is None:
        raise UsageError(
            f"expected --ws-shared-secret-file with {' and '.join(signed) or '--ws-auth signed-bearer-token'}, got none"
        )
    return SignedBearerTokens.of_file(
        options.secret_file,
        issuer=options.issuer,
        audience=options.audience,
        max_clock_skew_s=_DEFAULT_CLOCK_SKEW_S if options.max_clock_skew_s is None else options.max_clock_skew_s,
    )


def _given(values: dict[str, object]) -> list[str]:
    return [name for name, value in values.items() if value is not None]


def _secret_in(path: Path, what: str) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"expected a file with {what} at {path}, which cannot be read") from exc
    if not secret:
        raise UsageError(f"expected {what} in {path}, which is empty")
    return secret
