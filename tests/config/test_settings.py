from __future__ import annotations

from typing import TYPE_CHECKING

from backchannel.config import Config, Loaded, Origin, load_config, load_with_origins, settings_of
from tests.planted import TOKEN, planted_in

if TYPE_CHECKING:
    from pathlib import Path

TEXT = f"""\
model_provider = "mine"
experimental_realtime_ws_model = "gpt-x"
nonsense = 1

[realtime]
context = "reference"
quiet_ms = 700
voice = "cedar"

[model_providers.mine]
http_headers = {{ X-Team = "{TOKEN}", X-Other = "b" }}
request_max_retries = 200
"""


def loaded(folder: Path, *overrides: str) -> Loaded:
    (folder / "config.toml").write_text(TEXT)
    return load_with_origins({"BACKCHANNEL_HOME": str(folder)}, overrides=overrides)


def test_it_is_the_same_configuration(tmp_path: Path) -> None:
    overrides = ["realtime.voice=ash"]
    assert loaded(tmp_path, *overrides).config == load_config({"BACKCHANNEL_HOME": str(tmp_path)}, overrides=overrides)


def test_each_value_has_the_place_whose_word_counts(tmp_path: Path) -> None:
    file = str(tmp_path / "config.toml")
    origins = loaded(tmp_path, "realtime.voice=ash", "model_providers.mine.http_headers.X-Other=c").origins
    shown = {".".join(key): (origin.source, origin.line) for key, origin in origins.items()}

    assert shown == {
        "model_provider": (file, 1),
        "realtime.model": (file, 2),
        "nonsense": (file, 3),
        "realtime.context.level": (file, 6),
        "realtime.quiet_ms": (file, 7),
        "realtime.voice": ("-c", None),
        "model_providers.mine.http_headers.X-Team": (file, 11),
        "model_providers.mine.http_headers.X-Other": ("-c", None),
        "model_providers.mine.request_max_retries": (file, 12),
    }


def test_an_option_in_the_other_spelling_counts_too(tmp_path: Path) -> None:
    origins = loaded(tmp_path, "experimental_realtime_ws_model=y").origins
    assert origins["realtime", "model"] == Origin(source="-c", line=None)


def test_settings_are_what_is_in_force(tmp_path: Path) -> None:
    settings = {".".join(each.key): each.value for each in settings_of(loaded(tmp_path).config)}

    assert settings["model_provider"] == "mine"
    assert settings["realtime.type"] == "conversational"
    assert settings["realtime.context.level"] == "reference"
    assert settings["realtime.reconnect"] is True
    assert settings["model_providers.mine.request_max_retries"] == 100
    assert settings["model_providers.mine.http_headers.X-Other"] == "b"
    assert {"realtime.backend", "realtime.context", "realtime.budget", "model_providers.mine.id"}.isdisjoint(settings)


def test_no_table_interrupts_another(tmp_path: Path) -> None:
    for config in (Config(), loaded(tmp_path).config):
        tables = [each.key[:2] if each.key[0] == "model_providers" else each.key[:-1] for each in settings_of(config)]
        assert [
            table for number, table in enumerate(tables) if table in tables[:number] and tables[number - 1] != table
        ] == []


def test_what_may_be_secret_is_marked_and_not_printed(tmp_path: Path) -> None:
    settings = list(settings_of(loaded(tmp_path, "model_providers.mine.experimental_bearer_token=x").config))

    assert {each.key[2] for each in settings if each.is_secret} == {"http_headers", "experimental_bearer_token"}
    assert {each.key[-1] for each in settings if each.is_address} == {"base_url"}
    assert planted_in(repr(settings)) == []
