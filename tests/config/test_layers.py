from __future__ import annotations

import pytest

from backchannel.config.layers import file_layer, option_layer
from backchannel.errors import ConfigError

TEXT = '''\
model = "gpt"

[realtime]   # ours
# voice = "not this one"
prompt = """
voice = "in the text"
"""
startup_context = \'\'\'
[audio]\'\'\'
voice = "marin"
"quiet_ms" = 3

[model_providers."my own"]
base_url = "http://x"
http_headers = { a = "b" }
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("model",), 1),
        (("realtime",), 3),
        (("realtime", "prompt"), 5),
        (("realtime", "voice"), 10),
        (("realtime", "quiet_ms"), 11),
        (("realtime", "nothing"), 3),
        (("model_providers", "my own", "base_url"), 14),
        (("model_providers", "my own", "http_headers", "a"), 15),
        (("audio",), None),
    ],
)
def test_an_error_names_the_line_of_its_key(key: tuple[str, ...], line: int | None) -> None:
    error = file_layer(TEXT, source="config.toml").error(key, expected="this", got="that")

    assert (error.source, error.line) == ("config.toml", line)


def test_an_error_is_a_sentence_with_all_that_is_known() -> None:
    layer = file_layer(TEXT, source="config.toml")

    assert str(layer.error(("model_providers", "my own", "base_url"), expected="this", got="that")) == (
        'config.toml, line 14: model_providers."my own".base_url: expected this, got that'
    )
    assert str(layer.error(("audio",), expected="this", got="that")) == "config.toml: audio: expected this, got that"
    assert str(ConfigError(source="-c", expected="this", got="that")) == "-c: expected this, got that"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("model = \n", 1, "Invalid value"),
        ("[realtime]\nvoice = marin\n", 2, "Invalid value"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite a value"),
        ("\n\nprompt = '''", 3, ""),
    ],
)
def test_a_slip_in_the_file_is_told_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        file_layer(text, source="config.toml")

    assert str(caught.value).startswith(f"config.toml, line {line}: expected TOML, got a slip: {words}")
    assert "(at line" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "table"),
    [
        ("a=1", {"a": 1}),
        ("a = true ", {"a": True}),
        ("a.b=text", {"a": {"b": "text"}}),
        ('a."b.c"=1', {"a": {"b.c": 1}}),
        ("a=", {"a": ""}),
        ('a="text"', {"a": "text"}),
        ("a=x=y", {"a": "x=y"}),
        ('a=["b", "c"]', {"a": ["b", "c"]}),
        ("a={b = 1}", {"a": {"b": 1}}),
        ("a=1\nb = 2", {"a": "1\nb = 2"}),
    ],
)
def test_the_value_of_an_option_is_toml_else_what_it_is(option: str, table: dict[str, object]) -> None:
    assert option_layer([option]).table == table


def test_the_last_option_wins_and_the_others_stay() -> None:
    assert option_layer(["a.b=1", "a.c=2", "a.b=3"]).table == {"a": {"b": 3, "c": 2}}
    assert option_layer(["a=1", "a.b=2"]).table == {"a": {"b": 2}}


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("no-equals-planted", "an option without ="),
        ("=planted", "'=' and a value"),
        ("a b=planted", "'a b=' and a value"),
        ("a.=planted", "'a.=' and a value"),
        ("a = 1\nb=planted", None),
    ],
)
def test_an_option_of_another_form_is_refused_without_its_value(option: str, shown: str | None) -> None:
    if shown is None:
        assert option_layer([option]).table == {"a": "1\nb=planted"}
        return
    with pytest.raises(ConfigError) as caught:
        option_layer([option])
    assert str(caught.value) == f"-c: expected KEY=VALUE, such as realtime.voice=marin, got {shown}"


@pytest.mark.parametrize("key", ["a\nb", "[t]\n#", "#"])
def test_what_is_no_key_by_itself_is_none(key: str) -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        option_layer([f"{key}=1"])


def test_what_is_no_table_cannot_hold_a_key_in_the_other_spelling() -> None:
    with pytest.raises(ConfigError, match=r"config\.toml, line 2: realtime: expected a table, got a number"):
        file_layer("experimental_realtime_ws_model = 'm'\nrealtime = 3\n", source="config.toml")
