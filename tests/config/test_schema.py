from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backchannel.config import (
    CALLED_BY_REFERENCE,
    Audio,
    Context,
    Model,
    Provider,
    Realtime,
    Threads,
    config_schema,
    config_schema_text,
    load_config,
)
from backchannel.config.schema import attribute_docs
from tests.config.schemas import problems

SCHEMA: dict[str, Any] = config_schema()
DOCS = Path(__file__).parents[2] / "docs"
TABLES: dict[str, type[msgspec.Struct]] = {
    "Realtime": Realtime,
    "Context": Context,
    "Audio": Audio,
    "Threads": Threads,
    "Provider": Provider,
}

# Every use of the documented keys, on every page.
EXAMPLES = [
    (page.relative_to(DOCS).as_posix(), text)
    for page in sorted(DOCS.rglob("*.md"))
    for text in re.findall(r"^```toml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
]


def test_every_key_is_there_with_its_meaning_and_its_default() -> None:
    for name, kind in TABLES.items():
        properties = SCHEMA["$defs"][name]["properties"]
        assert list(properties) == [field for field in kind.__struct_fields__ if field != "id"]
        for field in msgspec.structs.fields(kind):
            if field.name in ("id", "context"):
                continue
            said = properties[field.name]
            assert said["description"] == " ".join(attribute_docs(kind)[field.name].split())
            default = msgspec.to_builtins(
                field.default_factory() if field.default is msgspec.NODEFAULT else field.default
            )
            assert said.get("default") == (list(default) if isinstance(default, tuple) else default)
    assert set(SCHEMA["properties"]) == {
        *Model.__struct_fields__,
        *CALLED_BY_REFERENCE,
        "model_provider",
        "model_providers",
        "realtime",
        "audio",
        "threads",
    }


def test_the_file_is_the_document() -> None:
    assert json.loads(config_schema_text()) == SCHEMA
    assert "null" not in config_schema_text()
    assert set(re.findall(r"#/\$defs/(\w+)", config_schema_text())) == set(SCHEMA["$defs"])


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_documented_examples_fit_and_are_read_without_a_word(page: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")

    assert load_config({"BACKCHANNEL_HOME": str(tmp_path)}, strict=True).notices == (), page
    assert problems(SCHEMA, tomllib.loads(text)) == []


def test_there_are_documented_examples() -> None:
    assert len([page for page, _ in EXAMPLES if page == "reference/configuration.md"]) >= 3


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("realtime.vioce = 'marin'", [".realtime.vioce: additionalProperties"]),
        ("realtime.context.guidanec = true", [".realtime.context.: anyOf"]),
        ("realtime.context = 'all'", [".realtime.context.: anyOf"]),
        ("realtime.tools = ['dance']", [".realtime.tools.0.: enum"]),
        ("experimental_realtime_ws_base_url = 'here'", [".experimental_realtime_ws_base_url.: pattern"]),
        ("model_providers.a.env_key = ''", [".model_providers.a.env_key.: minLength"]),
        ("model_providers.a.http_headers.b = 1", [".model_providers.a.http_headers.b.: type"]),
        ("nonsense = 1\naudio.x = 1\nmodel_providers.a.aws = {}", []),
        ("realtime.base_url = 'WSS://x'\nrealtime.backend = 'http://x'", []),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(text: str, where: list[str]) -> None:
    assert problems(SCHEMA, tomllib.loads(text)) == where


def test_without_the_source_there_are_no_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> str:
        raise OSError("could not get source code")

    monkeypatch.setattr("inspect.getsource", gone)
    assert attribute_docs(Realtime) == {}
    assert config_schema()["title"] == SCHEMA["title"]
