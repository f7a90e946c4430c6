"""The account, the models and the features. Source: app-server.md 2.2 and 2.4."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

__all__ = [
    "Account",
    "AccountReadParams",
    "AccountReadResult",
    "AccountUpdated",
    "Feature",
    "FeatureListParams",
    "FeatureListResult",
    "LoginCompleted",
    "LoginParams",
    "LoginResult",
    "Model",
    "ModelListParams",
    "ModelListResult",
]

_U32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class LoginParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Log in with a key."""

    type: Literal["apiKey"]
    api_key: str

    def __repr__(self) -> str:
        """Without the key."""
        return "LoginParams(...)"


class LoginResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one is logged in."""

    type: Literal["apiKey"] = "apiKey"


class LoginCompleted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a login."""

    success: bool
    login_id: str | None = None
    error: str | None = None
    onboarding_entrypoint: None = None


class AccountUpdated(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who is logged in has changed."""

    auth_mode: Literal["apikey"] | None = None
    plan_type: None = None


class AccountReadParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who is logged in."""

    refresh_token: bool = False


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """How one is logged in."""

    type: Literal["apiKey"] = "apiKey"


class AccountReadResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who is logged in; null for nobody."""

    account: Account | None
    requires_openai_auth: bool
    user_id: str | None = None
    workspace_routing: None = None


class ModelListParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which models there are."""

    cursor: str | None = None
    limit: _U32 | None = None
    include_hidden: bool | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A model of the agent."""

    id: str
    model: str
    display_name: str
    description: str
    is_default: bool
    hidden: bool = False
    supported_reasoning_efforts: tuple[str, ...] = ()
    default_reasoning_effort: str = "medium"
    input_modalities: tuple[str, ...] = ("text",)


class ModelListResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of them."""

    data: tuple[Model, ...]
    next_cursor: str | None = None


class FeatureListParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which features there are."""

    cursor: str | None = None
    limit: _U32 | None = None
    thread_id: str | None = None


class Feature(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that can be on or off."""

    name: str
    stage: Literal["beta", "underDevelopment", "stable", "deprecated", "removed"]
    enabled: bool
    default_enabled: bool
    display_name: str | None = None
    description: str | None = None
    announcement: str | None = None


class FeatureListResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of them."""

    data: tuple[Feature, ...]
    next_cursor: str | None = None
