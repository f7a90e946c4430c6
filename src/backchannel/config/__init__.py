"""One typed configuration, from a file and from what a command was given. Others get values, nobody a file."""

from backchannel.config.files import config_path, find_home, state_folder
from backchannel.config.layers import shown_key
from backchannel.config.loading import Loaded, Origin, find_config, load_config, load_with_origins
from backchannel.config.schema import config_schema, config_schema_text
from backchannel.config.settings import Setting, SettingValue, settings_of
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
    "Loaded",
    "Model",
    "Origin",
    "Provider",
    "Realtime",
    "Setting",
    "SettingValue",
    "Threads",
    "config_path",
    "config_schema",
    "config_schema_text",
    "find_config",
    "find_home",
    "load_config",
    "load_with_origins",
    "settings_of",
    "shown_key",
    "state_folder",
]
