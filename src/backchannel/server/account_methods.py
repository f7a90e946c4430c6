"""`initialize`, `account/...`, `model/list` and `experimentalFeature/list`. Source: app-server.md 1.2, 2.2 and 2.4."""

from __future__ import annotations

import asyncio
import platform
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel import __version__
from backchannel.errors import BackchannelError
from backchannel.server.methods import Methods, Refused, row
from backchannel.wire import appserver, jsonrpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from backchannel.server.app import App
    from backchannel.server.peer import Peer

__all__ = ["account_methods"]

_FEATURES: Final = (
    appserver.ExperimentalFeature(name="realtime_conversation", stage="removed", enabled=True, default_enabled=True),
    appserver.ExperimentalFeature(name="responses_websockets", stage="removed", enabled=True, default_enabled=True),
)
_USUAL_EFFORT: Final = "medium"
_SYSTEMS: Final = {"darwin": "macos", "win32": "windows"}


def account_methods(app: App) -> Methods:
    """The methods."""
    methods = _Account(app)
    return Methods(
        at_once={
            "initialize": row(appserver.InitializeParams, methods.initialize),
            "account/read": row(appserver.GetAccountParams, methods.read),
            "model/list": row(appserver.ModelListParams, methods.models),
            "experimentalFeature/list": row(appserver.ExperimentalFeatureListParams, methods.features),
        },
        in_time={
            "account/login/start": row(msgspec.Struct, methods.log_in),
            "account/logout": row(appserver.LogoutAccountParams, methods.log_out),
        },
    )


class _Account:
    def __init__(self, app: App) -> None:
        self._app = app

    def initialize(self, peer: Peer, params: appserver.InitializeParams) -> appserver.InitializeResponse:
        peer.introduce(params)
        self._app.load_ahead()
        client = params.client_info
        system = _SYSTEMS.get(sys.platform, "linux")
        agent = f"{client.name}/{__version__} ({platform.system()} {platform.release()}; {platform.machine()})"
        return appserver.InitializeResponse(
            user_agent=f"{agent} backchannel ({client.name}; {client.version})",
            codex_home=str(self._app.options.state_folder),
            platform_family="windows" if system == "windows" else "unix",
            platform_os=system,
        )

    def read(self, _: Peer, __: appserver.GetAccountParams) -> appserver.GetAccountResponse:
        options = self._app.options
        account = None if options.credentials.api_key is None else appserver.ApiKeyAccount()
        return appserver.GetAccountResponse(
            account=account, requires_openai_auth=options.config.provider.requires_openai_auth
        )

    def models(self, _: Peer, __: appserver.ModelListParams) -> appserver.ModelListResponse:
        models = self._app.options.models()
        effort = self._app.options.config.model.model_reasoning_effort or _USUAL_EFFORT
        return appserver.ModelListResponse(
            data=tuple(
                appserver.Model(
                    id=name,
                    model=name,
                    display_name=name,
                    description="",
                    default_reasoning_effort=effort,
                    input_modalities=("text",),
                    is_default=name == models[0],
                )
                for name in models
            )
        )

    def features(
        self, _: Peer, __: appserver.ExperimentalFeatureListParams
    ) -> appserver.ExperimentalFeatureListResponse:
        return appserver.ExperimentalFeatureListResponse(data=_FEATURES)

    async def log_in(self, _: Peer, params: msgspec.Struct) -> appserver.ApiKeyLoggedIn:
        if not isinstance(params, appserver.ApiKeyLogin):
            raise Refused(
                f"expected a login of type apiKey, got {params.__struct_config__.tag}; this server knows no other"
            )
        await self._kept(self._app.options.credentials.log_in, params.api_key)
        self._app.tell_all("account/login/completed", appserver.AccountLoginCompletedNotification(success=True))
        self._app.tell_all("account/updated", appserver.AccountUpdatedNotification(auth_mode="apikey"))
        return appserver.ApiKeyLoggedIn()

    async def log_out(self, _: Peer, __: appserver.LogoutAccountParams) -> appserver.Empty:
        await self._kept(self._app.options.credentials.log_out)
        self._app.tell_all("account/updated", appserver.AccountUpdatedNotification())
        return appserver.Empty()

    async def _kept(self, change: Callable[..., None], *arguments: str) -> None:
        try:
            await asyncio.to_thread(change, *arguments)
        except BackchannelError as exc:
            raise Refused(str(exc), code=jsonrpc.INTERNAL_ERROR) from exc
