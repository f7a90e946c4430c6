"""The app server: JSON-RPC for editors, desktop apps and phones."""

from backchannel.server.serve import ServeOptions, serve

__all__ = ["ServeOptions", "serve"]
