from __future__ import annotations

import io
import json
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.config import Config, Loaded, Provider, Realtime, config_schema, load_with_origins
from backchannel.tui import show_config
from tests.config.schemas import problems
from tests.planted import PASSWORD, TOKEN, planted_in

if TYPE_CHECKING:
    from pathlib import Path

TEXT = f"""\
[realtime]
base_url = "https://me:{PASSWORD}@example.com/v1?key={TOKEN}#{TOKEN}"
prompt = '''Be kind.
My password is {PASSWORD}.'''

[model_providers."my own"]
base_url = "me:{PASSWORD}@example.com/{{x}}?{TOKEN}"
experimental_bearer_token = "{TOKEN}"
http_headers = {{ "X.Team" = "{TOKEN}" }}
query_params = {{ key = "{TOKEN}" }}
env_http_headers = {{ X-Who = "WHO" }}
"""


def shown(loaded: Loaded, *, as_json: bool = False) -> str:
    out = io.StringIO()
    assert show_config(loaded, out=out, as_json=as_json) == 0
    assert planted_in(out.getvalue()) == []
    return out.getvalue()


def load(folder: Path, text: str, *overrides: str) -> Loaded:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return load_with_origins({"BACKCHANNEL_HOME": str(folder)}, overrides=overrides)


def test_what_is_printed_is_what_is_in_force_and_where_it_stands(tmp_path: Path) -> None:
    text = "[realtime]\nvoice = 'cedar'\n[realtime.context]\nguidance = false\n"
    lines = shown(load(tmp_path, text, "realtime.quiet_ms=3")).splitlines()

    assert lines[0] == f"# Read from {tmp_path}/config.toml"
    assert 'voice = "cedar"  # line 2' in lines
    assert "guidance = false  # line 4" in lines
    assert "quiet_ms = 3  # -c" in lines
    assert "reconnect = true" in lines
    assert lines.index("[realtime]") < lines.index("quiet_ms = 3  # -c") < lines.index("[realtime.context]")
    assert not [line for line in lines if line.startswith("backend")]
    assert shown(Loaded(config=Config(), origins={})).startswith("# No file was read.\n")


def test_what_is_secret_is_left_out(tmp_path: Path) -> None:
    loaded = load(tmp_path, TEXT)
    text = shown(loaded)

    assert 'base_url = "https://[left out]@example.com/v1?[left out]"  # line 2' in text
    assert 'prompt = "Be kind.\\nMy password is [left out]"  # line 3' in text
    assert '[model_providers."my own"]' in text
    assert 'base_url = "[left out]@example.com/{x}?[left out]"' in text
    assert 'experimental_bearer_token = "[left out]"' in text
    assert 'http_headers."X.Team" = "[left out]"' in text
    assert 'query_params.key = "[left out]"' in text
    assert 'env_http_headers.X-Who = "WHO"' in text
    assert tomllib.loads(text)["model_providers"]["my own"]["http_headers"] == {"X.Team": "[left out]"}
    assert json.loads(shown(loaded, as_json=True))["config"] == tomllib.loads(text)


def test_a_program_is_told_the_same(tmp_path: Path) -> None:
    told: dict[str, Any] = json.loads(
        shown(
            load(
                tmp_path, "[model_providers.'a.b']\n[realtime]\nvoice = 'ash'\nsomething_else = 1\n", "model_provider=a"
            ),
            as_json=True,
        )
    )
    file = str(tmp_path / "config.toml")

    assert told["file"] == file
    assert told["sources"] == {
        "realtime.voice": {"source": file, "line": 3},
        "model_provider": {"source": "-c", "line": None},
    }
    assert told["config"]["realtime"]["voice"] == "ash"
    assert told["config"]["model_providers"]["a.b"]["wire_api"] == "responses"
    assert told["notices"] == [f"{file}: nothing reads the key realtime.something_else; leave it out"]
    assert problems(config_schema(), told["config"]) == []


def test_the_defaults_are_a_file_that_changes_nothing(tmp_path: Path) -> None:
    printed = shown(Loaded(config=Config(), origins={}))

    config = load(tmp_path, printed).config
    assert config == Config(source=str(tmp_path / "config.toml"))
    assert problems(config_schema(), tomllib.loads(printed)) == []


# Half a pair of surrogates cannot stand in a file, and what looks like a secret is another matter.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="-_=:@./"), min_size=1, max_size=20)


@given(prompt=TEXTS, provider=TEXTS, header=TEXTS, variable=TEXTS)
def test_what_is_printed_is_read_again_as_the_same(prompt: str, provider: str, header: str, variable: str) -> None:
    config = Config(
        realtime=Realtime(prompt=prompt),
        providers={provider: Provider(id=provider, name=prompt, env_http_headers={header: variable})},
    )
    told = tomllib.loads(shown(Loaded(config=config, origins={})))

    assert told["realtime"]["prompt"] == prompt
    assert set(told["model_providers"]) == {provider}
    assert (
        msgspec.convert({"id": provider, **told["model_providers"][provider]}, Provider) == config.providers[provider]
    )


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\udcffb"])
def test_a_name_of_a_file_breaks_no_line(name: str) -> None:
    lines = shown(Loaded(config=Config(source=name), origins={})).splitlines()
    assert lines[0] == "# Read from a\ufffdb"
    tomllib.loads("\n".join(lines))


def test_half_a_character_breaks_nothing() -> None:
    loaded = Loaded(config=Config(realtime=Realtime(prompt="a\udcff")), origins={})
    assert tomllib.loads(shown(loaded))["realtime"]["prompt"] == "a?"
    assert json.loads(shown(loaded, as_json=True))["config"]["realtime"]["prompt"] == "a\udcff"
