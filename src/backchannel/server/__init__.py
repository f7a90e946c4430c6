"""The app server: JSON-RPC for editors, desktop apps and phones."""

from backchannel.server.listening import Address, Token, read_address
from backchannel.server.serve import ServeOptions, serve

__all__ = ["Address", "ServeOptions", "Token", "read_address", "serve"]
