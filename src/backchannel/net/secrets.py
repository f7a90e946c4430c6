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
    ".env-*",
    ".env_*",
    ".env~",
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
    "credentials-*.json",
    "client_secret*.json",
    "secret.*",
    "secrets.*",
    "*.secret",
    "*.secrets",
    "service-account*.json",
    "*.tfvars",
    "*.tfstate",
    "*.tfstate.backup",
    "passwords.*",
    "kubeconfig",
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
# a name that says what follows. Each with what stands in every text that it finds, in lower case: looking for that is
# quicker, and mostly it is not there.
_TOKENS: Final = (
    (
        ("sk-", "sk_", "rk-", "rk_", "pk-", "pk_"),
        r"\b(?:sk|rk|pk)[-_](?:live|test|proj|ant|svcacct|admin|or)?[-_]?[A-Za-z0-9_-]{16,}",
    ),
    (("gho_", "ghp_", "ghs_", "ghu_", "ghr_"), r"\bgh[opsur]_[A-Za-z0-9]{20,}"),
    (("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    (("glpat-", "glptt-", "glrt-", "gldt-"), r"\bgl(?:pat|ptt|rt|dt)-[A-Za-z0-9_-]{16,}"),
    (("xox",), r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    (("xapp-",), r"\bxapp-[A-Za-z0-9-]{10,}"),
    (("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (("aiza",), r"\bAIza[A-Za-z0-9_-]{30,}"),
    (("ya29.",), r"\bya29\.[A-Za-z0-9_-]{20,}"),
    (("hf_",), r"\bhf_[A-Za-z0-9]{20,}"),
    (("npm_",), r"\bnpm_[A-Za-z0-9]{30,}"),
    (("pypi-",), r"\bpypi-[A-Za-z0-9_-]{30,}"),
    (("whsec_",), r"\bwhsec_[A-Za-z0-9+/=]{20,}"),
    (("sg.",), r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    (("gocspx-",), r"\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    (("_v1_",), r"\bdo[opr]_v1_[a-f0-9]{32,}"),
    (("age-secret-key-1",), r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    (("hooks.slack.com/",), r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,}"),
    (("eyj",), r"(?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    (
        ("-----begin ",),
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:(?!-----END )[\s\S]){0,20000}(?:-----END [A-Z ]{0,40}KEY-----)?",
    ),
)
# Anywhere in a name: DB_PASSWORD, dbPassword.
_SECRET_NAME: Final = (
    r"(?:passwords?|passwd|passphrase|pwd|token|credentials?"
    r"|(?:api|access|account|private|secret|signing|master)[-_ ]?(?:access[-_ ]?)?key(?:[-_]?base)?|secrets?)"
)
_NAME_WORDS: Final = ("pass", "pwd", "token", "credential", "secret", "key")
_NOT_LEFT_OUT: Final = r"(?!\[left out\])"
# Of what somebody says in a sentence, a plain word is no secret.
_ODD_WORD: Final = r"(?=\S{0,200}[\d!@#$%^&*+/=])"
# In quotes with its blanks, else up to the next one.
_NAMED: Final = (
    rf"(?P<kept>{_SECRET_NAME}[\"']?"
    rf"(?:\s{{0,20}}(?::=|=>|[=:])\s{{0,20}}|\s{{1,20}}is\s{{0,20}}:?\s{{1,20}}(?:(?=[\"'`])|{_ODD_WORD}))"
    rf"(?P<quote>[\"'`])?){_NOT_LEFT_OUT}"
    r"(?(quote)(?:\\.|(?!(?P=quote))[^\n\\]){6,200}|[^\s\"'`]{5,}[^\s\"'`,;])"
)
_OPTION: Final = rf"(?P<kept>--[\w-]{{0,40}}{_SECRET_NAME}\s{{1,20}}){_NOT_LEFT_OUT}{_ODD_WORD}[^\s-]\S{{5,}}"
_BEARER: Final = r"(?P<kept>\b(?:bearer|basic)\s{1,20})[A-Za-z0-9+/._~=-]{12,}"
_HEADER: Final = (
    r"(?P<kept>\bauthorization[\"']?\s{0,20}[:=]\s{0,20}[\"']?(?:token|digest|apikey)\s{1,20})"
    rf"{_NOT_LEFT_OUT}[^\s\"'`]{{6,}}"
)
_IN_ADDRESS: Final = (
    rf"(?P<kept>\b[a-z][a-z0-9+.-]{{1,15}}://[^\s/:@]{{0,200}}:)(?!\d{{1,5}}/){_NOT_LEFT_OUT}\S{{1,200}}(?=@)"
)
_CONTEXTS: Final = (
    (("bearer", "basic"), _BEARER),
    (("authorization",), _HEADER),
    (("://",), _IN_ADDRESS),
    (("--",), _OPTION),
    (_NAME_WORDS, _NAMED),
)
_SECRETS: Final = (
    *((signs, re.compile(pattern), LEFT_OUT) for signs, pattern in _TOKENS),
    *((signs, re.compile(pattern, re.IGNORECASE), rf"\g<kept>{LEFT_OUT}") for signs, pattern in _CONTEXTS),
)
_WHOLE: Final = 100_000
"""Of a longer text, only so much at both ends is given back: nobody is told the middle of it."""


def without_secrets(text: str) -> str:
    """The text with `LEFT_OUT` in the place of what looks like a secret: tokens, keys, named or in an address.

    Of a text of more than 100,000 characters only its two ends of half that length are given back, around a mark.
    """
    if len(text) > _WHOLE:
        half = _WHOLE // 2
        return f"{without_secrets(text[:half])}\n{LEFT_OUT}\n{without_secrets(text[-half:])}"
    lowered = text.lower()
    for signs, pattern, instead in _SECRETS:
        for sign in signs:
            if sign in lowered:
                text = pattern.sub(instead, text)
                break
    return text
