"""Who pays: logging in, out, and asking whether somebody is.

A login by key is what this server can do; the other ways of the reference are understood, so that they can be refused
by name.

Source: app-server.md 1.3, 10; the reference's own schema.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Raw, field

from backchannel.wire.appserver.shapes import Discreet, Params, Shape, null

__all__ = [
    "Account",
    "AccountLoginCompletedNotification",
    "AccountUpdatedNotification",
    "AmazonBedrockAccount",
    "ApiKeyAccount",
    "ApiKeyLoggedIn",
    "ApiKeyLogin",
    "AuthMode",
    "BedrockAccessKeysLogin",
    "BedrockLogin",
    "ChatgptAccount",
    "ChatgptAuthTokensLogin",
    "ChatgptDeviceCodeLogin",
    "ChatgptLogin",
    "GcpAccount",
    "GetAccountParams",
    "GetAccountResponse",
    "LoginAccountParams",
    "LoginAccountResponse",
    "LogoutAccountParams",
    "PlanType",
]

AuthMode: TypeAlias = Literal[
    "apikey",
    "chatgpt",
    "chatgptAuthTokens",
    "headers",
    "agentIdentity",
    "personalAccessToken",
    "bedrockApiKey",
    "bedrockAccessKeys",
]
PlanType: TypeAlias = str


class ApiKeyLogin(Discreet, Params, frozen=True, kw_only=True, tag_field="type", tag="apiKey"):
    """Log in with a key."""

    api_key: str


class ChatgptLogin(Params, frozen=True, kw_only=True, tag_field="type", tag="chatgpt"):
    """Log in through a browser. Not supported by this server."""

    codex_streamlined_login: bool = False
    use_hosted_login_success_page: bool = False
    app_brand: Literal["codex", "chatgpt"] | None = None


class ChatgptDeviceCodeLogin(Params, frozen=True, kw_only=True, tag_field="type", tag="chatgptDeviceCode"):
    """Log in on another device. Not supported by this server."""


class ChatgptAuthTokensLogin(Discreet, Params, frozen=True, kw_only=True, tag_field="type", tag="chatgptAuthTokens"):
    """Log in with tokens that the client has. Not supported by this server."""

    access_token: str
    chatgpt_account_id: str
    chatgpt_plan_type: str | None = None


class BedrockLogin(Discreet, Params, frozen=True, kw_only=True, tag_field="type", tag="amazonBedrock"):
    """Log in with a key of another cloud. Not supported by this server."""

    api_key: str
    region: str


class BedrockAccessKeysLogin(
    Discreet, Params, frozen=True, kw_only=True, tag_field="type", tag="amazonBedrockAccessKeys"
):
    """Log in with a pair of keys of another cloud. Not supported by this server."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    region: str


LoginAccountParams: TypeAlias = (
    ApiKeyLogin | ChatgptLogin | ChatgptDeviceCodeLogin | ChatgptAuthTokensLogin | BedrockLogin | BedrockAccessKeysLogin
)


class ApiKeyLoggedIn(Shape, frozen=True, kw_only=True, tag_field="type", tag="apiKey"):
    """The key was kept; the rest is told by `account/login/completed`."""


LoginAccountResponse: TypeAlias = ApiKeyLoggedIn


class LogoutAccountParams(Params, frozen=True, kw_only=True):
    """Forget the login. The parameters may be left out."""


class GetAccountParams(Params, frozen=True, kw_only=True):
    """Ask who is logged in."""

    refresh_token: bool = False


class ApiKeyAccount(Shape, frozen=True, kw_only=True, tag_field="type", tag="apiKey"):
    """Logged in with a key."""


class ChatgptAccount(Shape, frozen=True, kw_only=True, tag_field="type", tag="chatgpt"):
    """Logged in as a person."""

    email: str | None = None
    plan_type: PlanType
    workspace_name: str | None = None


class AmazonBedrockAccount(Shape, frozen=True, kw_only=True, tag_field="type", tag="amazonBedrock"):
    """Logged in to another cloud."""

    uses_codex_managed_credentials: bool = False


class GcpAccount(Shape, frozen=True, kw_only=True, tag_field="type", tag="gcp"):
    """Logged in to another cloud."""


Account: TypeAlias = ApiKeyAccount | ChatgptAccount | AmazonBedrockAccount | GcpAccount


class GetAccountResponse(Shape, frozen=True, kw_only=True):
    """Who is logged in, and whether anybody has to be."""

    account: Account | None = None
    user_id: str | None = None
    requires_openai_auth: bool
    workspace_routing: Raw = field(default_factory=null)


class AccountLoginCompletedNotification(Shape, frozen=True, kw_only=True):
    """A login has succeeded or failed."""

    login_id: str | None = None
    success: bool
    error: str | None = None
    onboarding_entrypoint: Literal["life_sciences"] | None = None


class AccountUpdatedNotification(Shape, frozen=True, kw_only=True):
    """How one is logged in has changed."""

    auth_mode: AuthMode | None = None
    plan_type: PlanType | None = None
