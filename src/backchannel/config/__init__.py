"""One typed configuration, from a file and from what a command was given. Others get values, nobody a file."""

from backchannel.config.files import config_path, find_home, state_folder
from backchannel.config.loading import load_config
from backchannel.config.values import (
    CALLED_BY_REFERENCE,
    MIN_CONTEXT_TOKENS,
    OPENAI,
    Audio,
    Config,
    Context,
    Model,
    Provider,
    Realtime,
    Threads,
)

__all__ = [
    "CALLED_BY_REFERENCE",
    "MIN_CONTEXT_TOKENS",
    "OPENAI",
    "Audio",
    "Config",
    "Context",
    "Model",
    "Provider",
    "Realtime",
    "Threads",
    "config_path",
    "find_home",
    "load_config",
    "state_folder",
]
