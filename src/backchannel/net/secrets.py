"""What must not leave the process: files whose names say that they hold secrets, and what looks like one in a text.

Both go by looks. They keep the usual slips from being told to a voice or a model; what is written like any other word
is not found.
"""

from __future__ import annotations

import fnmatch
import re
from typing import Final

__all__ = ["LEFT_OUT", "SECRET_GLOBS", "is_secret", "without_secrets"]

LEFT_OUT: Final = "[left out]"
"""Stands where a secret stood."""

_NAMES: Final = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*.ppk",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".git-credentials",
    ".htpasswd",
    "credentials",
    "credentials.*",
    "secret.*",
    "secrets.*",
    "*.secret",
    "*.secrets",
    "service-account*.json",
    "*.tfvars",
    "*.tfstate",
)
_FOLDERS: Final = frozenset({".git", ".ssh", ".aws", ".gnupg", ".kube", ".docker", ".azure", ".secrets", "secrets"})
SECRET_GLOBS: Final = (*_NAMES, *(f"{folder}/**" for folder in sorted(_FOLDERS)))
"""The files that may hold secrets, in the manner of gitignore."""
_PLAIN_EXAMPLES: Final = (".env.example", ".env.sample", ".env.template", ".env.dist")
_NAME: Final = re.compile("|".join(map(fnmatch.translate, _NAMES)))


def is_secret(path: str) -> bool:
    """Whether a file of this relative path is one that usually holds secrets."""
    *folders, name = path.lower().split("/")
    if any(folder in _FOLDERS for folder in folders):
        return True
    return name not in _PLAIN_EXAMPLES and _NAME.match(name) is not None


# Tokens, by the beginnings that their makers gave them so that they can be found; keys in their armour; the words after
# a name that says what follows.
_TOKENS: Final = (
    r"\b(?:sk|rk|pk)[-_](?:live|test|proj|ant|svcacct|admin|or)?[-_]?[A-Za-z0-9_-]{16,}",
    r"\bgh[opsur]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bgl(?:pat|ptt|rt|dt)-[A-Za-z0-9_-]{16,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\bya29\.[A-Za-z0-9_-]{20,}",
    r"\bhf_[A-Za-z0-9]{20,}",
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{30,}",
    r"\bwhsec_[A-Za-z0-9+/=]{20,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END )[\s\S]){0,20000}(?:-----END [A-Z ]*PRIVATE KEY-----)?",
)
_NAMED: Final = (
    r"(?P<name>(?:\b|_)(?:password|passwd|passphrase|pwd|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key"
    r"|client[-_ ]?secret|credentials?)[\"']?"
    r"(?:\s*(?::=|=>|[=:])\s*|\s+is\s*:?\s+)[\"'`]?)"
    r"(?P<value>[^\s\"'`,;]{6,})"
)
_BEARER: Final = r"(?P<scheme>\b(?:bearer|basic)\s+)(?P<credentials>[A-Za-z0-9+/._~=-]{12,})"
_IN_ADDRESS: Final = r"(?P<before>\b[a-z][a-z0-9+.-]{1,15}://[^\s/:@]{0,200}:)(?P<password>[^\s/@]{1,200})(?=@)"
_SECRET: Final = re.compile(
    "|".join((*_TOKENS, f"(?i:{_BEARER})", f"(?i:{_IN_ADDRESS})", f"(?i:{_NAMED})")),
)
_WHOLE: Final = 100_000
"""Of a longer text, only so much at both ends is looked at: nobody is told the middle of it."""


def without_secrets(text: str) -> str:
    """The text with `LEFT_OUT` in the place of what looks like a secret: tokens, keys, named or in an address.

    Of a text of more than 100,000 characters only its two ends of half that length are looked at.
    """
    if len(text) > _WHOLE:
        half = _WHOLE // 2
        return without_secrets(text[:half]) + text[half:-half] + without_secrets(text[-half:])
    return _SECRET.sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    for kept in ("scheme", "before", "name"):
        if match[kept] is not None:
            return f"{match[kept]}{LEFT_OUT}"
    return LEFT_OUT
