from __future__ import annotations

import subprocess
import sys
import tomllib
import typing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from backchannel.config import (
    CALLED_BY_REFERENCE,
    OPENAI,
    Audio,
    Config,
    Context,
    Model,
    Provider,
    Realtime,
    Threads,
    config_schema,
    find_config,
    load_config,
)
from backchannel.errors import ConfigError, UsageError
from backchannel.wire.realtime import TOOLS, Mode
from tests.config.schemas import problems

if TYPE_CHECKING:
    from pathlib import Path

KEY = "planted5d0c1f"


def load(folder: Path, text: str | bytes, *overrides: str, strict: bool = False) -> Config:
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "config.toml").write_bytes(content)
    config = load_config({"BACKCHANNEL_HOME": str(folder)}, overrides=overrides, strict=strict)
    if not overrides and not config.notices:
        # What is read without a word is what the schema allows.
        assert problems(config_schema(), tomllib.loads(content.decode("utf-8-sig"))) == []
    return config


def refusal(folder: Path, text: str | bytes, *overrides: str, strict: bool = False) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, *overrides, strict=strict)
    said = str(caught.value)
    assert KEY not in said + repr(caught.value)
    return said.replace(str(folder), "HOME")


def test_nothing_need_be_configured(tmp_path: Path) -> None:
    config = load_config({"BACKCHANNEL_HOME": str(tmp_path), "CODEX_HOME": str(tmp_path)})

    assert config == Config()
    assert config.provider == OPENAI
    assert config.realtime.tools == tuple(TOOLS)
    assert config.realtime == Realtime()


EVERY_KEY: dict[str, tuple[str, object]] = {
    "backend": ('"openai"', "openai"),
    "version": ('"v1"', "v1"),
    "type": ('"transcription"', Mode.TRANSCRIPTION),
    "transport": ('"webrtc"', "webrtc"),
    "voice": ('"cove"', "cove"),
    "model": ('"gpt-x"', "gpt-x"),
    "base_url": ('"ws://127.0.0.1:1"', "ws://127.0.0.1:1"),
    "call_base_url": ('"https://example.com/v1"', "https://example.com/v1"),
    "prompt": ('"Be kind."', "Be kind."),
    "startup_context": ('""', ""),
    "start_instructions": ('"Begin."', "Begin."),
    "end_instructions": ('"End."', "End."),
    "tools": ('["background_agent", "remain_silent"]', ("background_agent", "remain_silent")),
    "mirror_typed_text": ("false", False),
    "reconnect": ("false", False),
    "give_up_after_s": ("5", 5),
    "rotate_after_s": ("0", 0),
    "on_screen_risks": ('["delete"]', ("delete",)),
    "approval_expires_s": ("5", 5),
    "errors": ('"fatal"', "fatal"),
    "speech": ('"chatty"', "chatty"),
    "context": ('"reference"', Context(level="reference")),
    "quiet_ms": ("0", 0),
}


def test_the_example_has_every_key() -> None:
    assert list(EVERY_KEY) == list(Realtime.__struct_fields__)
    assert set(CALLED_BY_REFERENCE.values()) <= set(EVERY_KEY)


@pytest.mark.parametrize("name", EVERY_KEY)
def test_a_key_of_the_file_changes_its_value_and_no_other(name: str, tmp_path: Path) -> None:
    written, value = EVERY_KEY[name]

    config = load(tmp_path, f"[realtime]\n{name} = {written}\n")

    assert config.realtime == msgspec.structs.replace(Realtime(), **{name: value})
    assert config == Config(source=str(tmp_path / "config.toml"), realtime=config.realtime)


@pytest.mark.parametrize("name", EVERY_KEY)
def test_an_option_wins_over_the_file(name: str, tmp_path: Path) -> None:
    written, value = EVERY_KEY[name]
    other = "\n".join(f"{key} = {text}" for key, (text, _) in EVERY_KEY.items() if key != name)
    before = load(tmp_path, f"[realtime]\n{other}\n")

    config = load(tmp_path, f"[realtime]\n{other}\n", f"realtime.{name}={written}")

    assert config.realtime == msgspec.structs.replace(before.realtime, **{name: value})


EVERY_CONTEXT_KEY: dict[str, tuple[str, object]] = {
    "level": ('"reference"', "reference"),
    "previous_conversation": ("false", False),
    "current_thread": ("false", False),
    "open_work": ("false", False),
    "repository_state": ("false", False),
    "recent_work": ("false", False),
    "codex_sessions": ("false", False),
    "claude_code_sessions": ("false", False),
    "workspace_map": ("false", False),
    "guidance": ("false", False),
    "deadline_ms": ("20", 20),
    "budget": ("900", 900),
}


def test_the_example_has_every_key_of_the_context() -> None:
    assert list(EVERY_CONTEXT_KEY) == list(Context.__struct_fields__)


@pytest.mark.parametrize("name", EVERY_CONTEXT_KEY)
def test_a_key_of_the_context_changes_its_value_and_no_other(name: str, tmp_path: Path) -> None:
    written, value = EVERY_CONTEXT_KEY[name]
    expected = Realtime(context=msgspec.structs.replace(Context(), **{name: value}))

    assert load(tmp_path, f"[realtime.context]\n{name} = {written}\n").realtime == expected
    assert load(tmp_path, "", f"realtime.context.{name}={written}").realtime == expected


def test_a_level_and_the_keys_beside_it_add_up(tmp_path: Path) -> None:
    table = "[realtime.context]\nguidance = false\n"

    assert load(tmp_path, table, "realtime.context=reference").realtime.context == Context(
        level="reference", guidance=False
    )
    assert load(tmp_path, "[realtime]\ncontext = 'reference'\n", "realtime.context.level=full").realtime == Realtime()


def test_what_is_wrong_in_the_context_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[realtime]\ncontext = 'all'\n") == (
        'HOME/config.toml, line 2: realtime.context.level: expected one of "full", "reference", got "all"'
    )
    assert refusal(tmp_path, "[realtime.context]\nbudget = 10\n") == (
        "HOME/config.toml, line 2: realtime.context.budget: expected a whole number from 500, got 10"
    )
    assert refusal(tmp_path, "[realtime]\ncontext = 1\n") == (
        "HOME/config.toml, line 2: realtime.context: expected a table, got a number"
    )
    notices = load(tmp_path, "[realtime.context]\nguidanec = false\n").notices
    assert notices == (
        (
            f"{tmp_path}/config.toml: nothing reads the key realtime.context.guidanec; did you mean"
            " realtime.context.guidance?"
        ),
    )


EVERY_KEY_OF_THE_MODEL: dict[str, tuple[str, object]] = {
    "model": ('"gpt-x"', "gpt-x"),
    "model_reasoning_effort": ('"high"', "high"),
    "model_reasoning_summary": ('"auto"', "auto"),
    "approval_policy": ('"untrusted"', "untrusted"),
    "sandbox_mode": ('"danger-full-access"', "danger-full-access"),
    "base_instructions": ('"Be a poet."', "Be a poet."),
    "developer_instructions": ('"Rhyme."', "Rhyme."),
}


def test_the_example_has_every_key_of_the_model() -> None:
    assert list(EVERY_KEY_OF_THE_MODEL) == list(Model.__struct_fields__)


@pytest.mark.parametrize("name", EVERY_KEY_OF_THE_MODEL)
def test_a_key_of_the_model_stands_at_top_level(name: str, tmp_path: Path) -> None:
    written, value = EVERY_KEY_OF_THE_MODEL[name]
    expected = msgspec.structs.replace(Model(), **{name: value})

    assert load(tmp_path, f"{name} = {written}\n").model == expected
    assert load(tmp_path, "", f"{name}={written}") == Config(source=str(tmp_path / "config.toml"), model=expected)


def test_the_policy_on_failure_is_taken(tmp_path: Path) -> None:
    assert load(tmp_path, "approval_policy = 'on-failure'").model.approval_policy == "on-failure"


@pytest.mark.parametrize("spelling", CALLED_BY_REFERENCE)
def test_the_other_spelling_means_the_same(spelling: str, tmp_path: Path) -> None:
    name = CALLED_BY_REFERENCE[spelling]
    written, value = EVERY_KEY[name]

    here, there = f"[realtime]\n{name} = {written}\n", f"{spelling} = {written}\n"

    assert load(tmp_path, there) == load(tmp_path, here)
    assert load(tmp_path, there + here) == load(tmp_path, here)
    assert load(tmp_path, "", f"{spelling}={written}").realtime == msgspec.structs.replace(Realtime(), **{name: value})
    # Between the file and an option there is no contradiction: the option wins, whatever the spelling.
    other = "'conversational'" if name == "type" else "'http://other.example'"
    config = load(tmp_path, f"[realtime]\n{name} = {other}\n", f"{spelling}={written}")
    assert config.realtime == msgspec.structs.replace(Realtime(), **{name: value})


@pytest.mark.parametrize("spelling", CALLED_BY_REFERENCE)
def test_two_spellings_that_differ_are_refused_with_both_names(spelling: str, tmp_path: Path) -> None:
    name = CALLED_BY_REFERENCE[spelling]
    written, _ = EVERY_KEY[name]

    text = f"{spelling} = 'ws://{KEY}'\n[realtime]\n{name} = {written}\n"

    assert refusal(tmp_path, text) == (
        f"HOME/config.toml, line 1: realtime.{name} and {spelling}: expected one of them, or the same value in both,"
        " got two different values"
    )
    assert refusal(tmp_path, "", f"{spelling}=ws://{KEY}", f"realtime.{name}={written}").startswith(
        f"-c: realtime.{name} and {spelling}: expected one of them"
    )


def test_an_option_in_one_spelling_wins_over_the_file_in_the_other(tmp_path: Path) -> None:
    assert load(tmp_path, "[realtime]\nmodel = 'a'\n", "experimental_realtime_ws_model=b").realtime.model == "b"
    assert load(tmp_path, "experimental_realtime_ws_model = 'a'\n", "realtime.model=b").realtime.model == "b"


def test_an_existing_file_of_the_reference_works(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        f"""
model = "gpt-5"
model_provider = "mine"
approval_policy = "never"
experimental_realtime_ws_mode = "conversational"

[features]
apps = false

[realtime]
version = "v1"

[audio]
microphone = "Studio"
speaker = "Hall"
microphone_channel = 2
gain = 3

[mcp_servers.x]
command = "y"

[model_providers.mine]
name = "OpenAI"
base_url = "https://example.com/v1"
env_key = "MINE"
env_key_instructions = "Ask Ada."
experimental_bearer_token = "{KEY}"
wire_api = "responses"
query_params = {{ api-version = "1" }}
http_headers = {{ X-Team = "{KEY}" }}
env_http_headers = {{ X-Who = "WHO" }}
request_max_retries = 200
stream_max_retries = 0
requires_openai_auth = true

[model_providers.openai]
base_url = "https://elsewhere.example"

[model_providers.other]
base_url = "$UNFINISHED"
""",
    )

    assert config.audio == Audio(microphone="Studio", speaker="Hall", microphone_channel=2)
    assert config.provider == Provider(
        id="mine",
        name="OpenAI",
        base_url="https://example.com/v1",
        env_key="MINE",
        env_key_instructions="Ask Ada.",
        experimental_bearer_token=KEY,
        query_params={"api-version": "1"},
        http_headers={"X-Team": KEY},
        env_http_headers={"X-Who": "WHO"},
        request_max_retries=100,
        stream_max_retries=0,
        requires_openai_auth=True,
    )
    assert config.model == Model(model="gpt-5", approval_policy="never")
    assert config.provider.is_openai
    assert set(config.providers) == {"mine", "other"}
    (notice,) = config.notices
    assert "[model_providers.openai] is built in" in notice
    assert KEY not in repr(config) + repr(config.provider) + repr(config.realtime)


def test_a_provider_says_only_what_it_says(tmp_path: Path) -> None:
    config = load(tmp_path, "[model_providers.mine]\n", "model_provider=mine", "model_providers.mine.env_key=A")

    assert config.provider == Provider(id="mine", env_key="A")
    assert config.provider.request_max_retries == 4
    assert config.provider.stream_max_retries == 5
    assert config.provider.stream_idle_timeout_ms == 300_000
    assert config.provider.websocket_connect_timeout_ms == 15_000
    assert not config.provider.supports_websockets
    assert OPENAI.supports_websockets
    assert not config.provider.is_openai


def test_the_id_of_a_provider_is_its_tables(tmp_path: Path) -> None:
    assert load(tmp_path, "model_provider = 'a'\n[model_providers.a]\nid = 'b'\n").provider.id == "a"


def test_too_many_retries_are_counted_as_many(tmp_path: Path) -> None:
    text = "[model_providers.a]\nrequest_max_retries = 101\nstream_max_retries = 1000\n"

    provider = load(tmp_path, text).providers["a"]

    assert (provider.request_max_retries, provider.stream_max_retries) == (100, 100)


def test_the_protocol_of_a_provider_that_is_not_chosen_is_nobodys_business(tmp_path: Path) -> None:
    assert load(tmp_path, "[model_providers.a]\nwire_api = 'chat'\n").providers["a"].wire_api == "chat"


def test_a_provider_that_nobody_defined_is_only_missed_when_it_is_wanted(tmp_path: Path) -> None:
    config = load(tmp_path, "model_provider = 'ollama'\n")

    with pytest.raises(ConfigError) as caught:
        _ = config.provider
    assert str(caught.value).removeprefix(str(tmp_path)) == (
        "/config.toml: model_provider: expected openai, or a provider that is defined as [model_providers.ollama],"
        " got 'ollama'"
    )
    with pytest.raises(ConfigError, match=r"^-c: model_provider: expected openai"):
        _ = load_config({}, overrides=["model_provider=ollama"], user_home=tmp_path / "none").provider


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[realtime]\nversion = 'v9'",
            'line 2: realtime.version: expected one of "live", "v1", "v2", "v3", got "v9"',
        ),
        (
            "[realtime]\ntype = 'chat'",
            'line 2: realtime.type: expected one of "conversational", "transcription", got "chat"',
        ),
        (
            "\nexperimental_realtime_ws_mode = 'chat'",
            'line 2: experimental_realtime_ws_mode: expected one of "conversational", "transcription", got "chat"',
        ),
        ("[realtime]\ntransport = 1", 'line 2: realtime.transport: expected one of "webrtc", "websocket", got 1'),
        ("[realtime]\nmodel = ''", "line 2: realtime.model: expected a text that is not empty, got an empty text"),
        ("[realtime]\nprompt = 3", "line 2: realtime.prompt: expected a text, got a number"),
        (
            "experimental_realtime_ws_backend_prompt = ['x']",
            "line 1: experimental_realtime_ws_backend_prompt: expected a text, got a list",
        ),
        ("[realtime]\nreconnect = 'no'", 'line 2: realtime.reconnect: expected true or false, got "no"'),
        ("realtime.reconnect = 1", "line 1: realtime.reconnect: expected true or false, got 1"),
        (
            "[realtime]\nquiet_ms = -1",
            "line 2: realtime.quiet_ms: expected a whole number from 0 to 60000, got -1",
        ),
        ("[realtime]\nquiet_ms = 0.5", "line 2: realtime.quiet_ms: expected a whole number from 0 to 60000, got 0.5"),
        ("[realtime]\nquiet_ms = true", "line 2: realtime.quiet_ms: expected a whole number from 0 to 60000, got true"),
        ("[realtime]\ntools = 'all'", "line 2: realtime.tools: expected a list of texts, got a text"),
        (
            "[realtime]\ntools = ['background_agent', 'dance']",
            f'line 2: realtime.tools: expected names out of {", ".join(TOOLS)}, got "dance"',
        ),
        ("[realtime]\nvoice = 2026-01-01", "line 2: realtime.voice: expected a text that is not empty, got a date or"),
        ("[realtime]\nvoice = 'bob'", "line 2: realtime.voice: expected a voice (v1: juniper maple"),
        (
            "[realtime]\nbackend = 'azure'",
            'line 2: realtime.backend: expected "local", "openai", or an address that starts with ws://, wss://, http:',
        ),
        (f"[realtime]\nbackend = 'gopher://me:{KEY}@x'", "line 2: realtime.backend: expected"),
        (f"[realtime]\nbase_url = '{KEY}@x'", "line 2: realtime.base_url: expected an address that starts with ws://"),
        ("[realtime]\ncall_base_url = ''", "line 2: realtime.call_base_url: expected an address that starts with ws"),
        ("realtime = true", "line 1: realtime: expected a table, got true"),
        ("audio = 'x'", "line 1: audio: expected a table, got a text"),
        (
            "[audio]\nmicrophone_channel = 0",
            "line 2: audio.microphone_channel: expected a whole number from 1, got 0",
        ),
        ("model_provider = ''", "line 1: model_provider: expected the id of a provider, got an empty text"),
        ("model_provider = {}", "line 1: model_provider: expected the id of a provider, got a table"),
        ("model_providers = 3", "line 1: model_providers: expected a table, got a number"),
        ("model_providers.a = 3", "line 1: model_providers.a: expected a table, got a number"),
        (
            f"[model_providers.a]\nhttp_headers = '{KEY}'",
            "line 2: model_providers.a.http_headers: expected a table of texts, got a text",
        ),
        (
            f"[model_providers.a]\nexperimental_bearer_token = ['{KEY}']",
            "line 2: model_providers.a.experimental_bearer_token: expected a text that is not empty, got a list",
        ),
        (
            f"model_provider = 'a'\n[model_providers.a]\nbase_url = '{KEY}'",
            "line 3: model_providers.a.base_url: expected an address that starts with ws://, wss://, http:// or https",
        ),
        (f"[realtime]\nversion = '{'x' * 50}{KEY}'", "line 2: realtime.version: expected one of"),
        (
            "model_provider = 'a'\n[model_providers.a]\nwire_api = 'chat'",
            'line 3: model_providers.a.wire_api: expected wire_api = "responses"; models that only speak another',
        ),
        ("model = ''", "line 1: model: expected a text that is not empty, got an empty text"),
        (
            "approval_policy = 'always'",
            'line 1: approval_policy: expected one of "never", "on-failure", "on-request", "untrusted", got "always"',
        ),
        (
            "sandbox_mode = 'off'",
            'line 1: sandbox_mode: expected one of "danger-full-access", "read-only", "workspace-write", got "off"',
        ),
        (
            "[model_providers.a]\nstream_idle_timeout_ms = 0",
            "line 2: model_providers.a.stream_idle_timeout_ms: expected a whole number from 1, got 0",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_one_clear_error(text: str, said: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text + "\n").startswith(f"HOME/config.toml, {said}")
    # Which provider is chosen is more than a schema can ask.
    if not text.startswith("model_provider = 'a'"):
        assert problems(config_schema(), tomllib.loads(text)) != []


def test_an_option_that_does_not_fit_is_the_options_fault(tmp_path: Path) -> None:
    text = "[realtime]\nversion = 'v2'\n"

    assert refusal(tmp_path, text, "realtime.version=v9").startswith("-c: realtime.version: expected one of")
    assert load(tmp_path, "[realtime]\nversion = 'v9'\n", "realtime.version=v1").realtime.version == "v1"
    assert issubclass(ConfigError, UsageError)


def test_an_unknown_key_is_a_notice_where_the_table_is_ours(tmp_path: Path) -> None:
    text = "nonsense = 1\n[realtime]\nvioce = 'marin'\nsomething_else = { a = 1 }\n[audio]\nx = 1\n"

    assert [notice.replace(str(tmp_path), "HOME") for notice in load(tmp_path, text).notices] == [
        "HOME/config.toml: nothing reads the key realtime.vioce; did you mean realtime.voice?",
        "HOME/config.toml: nothing reads the key realtime.something_else.a; leave it out",
    ]
    assert refusal(tmp_path, text, strict=True) == (
        "HOME/config.toml, line 3: realtime.vioce: expected a key that is known; did you mean realtime.voice?,"
        " got one that nothing reads"
    )
    assert load(tmp_path, "nonsense = 1\n[audio]\nx = 1\n", strict=True).notices == ()


def test_an_unknown_option_is_always_told(tmp_path: Path) -> None:
    known = ["audio.speaker=x", "model_provider=a", "model_providers.a.http_headers.b=c", "realtime.voice=marin"]

    assert load(tmp_path, "", *known).notices == ()
    assert load(tmp_path, "", "reltime.voice=marin").notices == (
        "-c: nothing reads the key reltime.voice; did you mean realtime.voice?",
    )


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, b"a = 1\nb = '\xff'\n")
        == "HOME/config.toml, line 2: expected text in UTF-8, got the byte 0xff"
    )
    (tmp_path / "config.toml").unlink()
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="expected a file that can be read, got a refusal: Is a directory"):
        load_config({"BACKCHANNEL_HOME": str(tmp_path)})
    with pytest.raises(ConfigError, match="expected a file that can be read, got a refusal: File name too long"):
        load_config({"BACKCHANNEL_HOME": "x" * 5000})


def test_a_mark_of_an_editor_is_no_matter(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbf[realtime]\nvoice = 'marin'\n").realtime.voice == "marin"


def test_the_home_of_the_environment_is_searched(tmp_path: Path) -> None:
    folder = tmp_path / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text("[realtime]\nvoice = 'cedar'\n")

    assert load_config({"HOME": str(tmp_path)}).realtime.voice == "cedar"


def test_the_file_is_found_or_where_it_would_be(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours" / "config.toml", tmp_path / ".codex" / "config.toml"
    env = {"HOME": str(tmp_path), "BACKCHANNEL_HOME": str(ours.parent)}

    assert find_config(env) == (ours, False)
    theirs.parent.mkdir()
    theirs.write_text("")
    assert find_config(env) == (theirs, True)
    ours.parent.mkdir()
    ours.write_text("")
    assert find_config(env) == (ours, True)
    with pytest.raises(ConfigError, match="File name too long"):
        find_config({"BACKCHANNEL_HOME": "x" * 5000})


HOMELESS = """
import os, pwd
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
os.environ.pop("HOME", None)
from backchannel.config import Config, find_config, load_config
from backchannel.errors import UsageError
assert load_config({}) == Config()
try:
    print(find_config({}))
except UsageError as exc:
    assert "set HOME or BACKCHANNEL_HOME" in str(exc)
else:
    raise AssertionError("there is no place for a file")
os.environ["HOME"] = ""
assert load_config({}) == Config()
"""


def test_without_a_home_nothing_is_read_from_the_folder_one_is_in(tmp_path: Path) -> None:
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text("realtime = 'planted'")
    subprocess.run([sys.executable, "-c", HOMELESS], cwd=tmp_path, check=True, timeout=10)


def test_every_type_has_words(tmp_path: Path) -> None:
    """Whatever stands where no date can, it is said what was expected."""
    structs: dict[str, Any] = {"realtime": Realtime, "audio": Audio, "model_providers.a": Provider}
    for table, struct in structs.items():
        for name in set(typing.get_type_hints(struct)) & set(struct.__struct_fields__) - {"id"}:
            said = refusal(tmp_path, f"[{table}]\n{name} = 2026-01-01\n")
            assert said.startswith(f"HOME/config.toml, line 2: {table}.{name}: expected ")
            assert said.endswith("got a date or a time")


def test_that_nothing_is_kept_can_be_configured(tmp_path: Path) -> None:
    assert load(tmp_path, "").threads == Threads(store=True)
    assert load(tmp_path, "[threads]\nstore = false\n").threads == Threads(store=False)
    assert load(tmp_path, "[threads]\nstore = false\n", "threads.store=true").threads.store
    with pytest.raises(ConfigError, match=r"line 2: threads\.store: expected true or false, got"):
        load(tmp_path, '[threads]\nstore = "no"\n')
    with pytest.raises(ConfigError, match=r"did you mean threads\.store\?"):
        load(tmp_path, "", "threads.stor=false", strict=True)
