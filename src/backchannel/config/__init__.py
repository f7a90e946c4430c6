"""One typed configuration, from a file and from what a command was given. Others get values, nobody a file."""

from backchannel.config.files import config_path
from backchannel.config.loading import load_config
from backchannel.config.values import CALLED_BY_REFERENCE, OPENAI, Audio, Config, Model, Provider, Realtime

__all__ = [
    "CALLED_BY_REFERENCE",
    "OPENAI",
    "Audio",
    "Config",
    "Model",
    "Provider",
    "Realtime",
    "config_path",
    "load_config",
]
