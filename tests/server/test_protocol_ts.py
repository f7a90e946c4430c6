from __future__ import annotations

import re

import pytest

from backchannel.server import typescript
from backchannel.wire.appserver import METHODS, NOTIFICATIONS, SERVER_REQUESTS, UNIONS

TEXT = typescript()
BUILT_IN = {"Array", "Record", "boolean", "const", "export", "in", "key", "never", "null", "number", "string", "type"}


def declared(name: str) -> str:
    match = re.search(rf"^export type {name} =(?P<body>.*?);\n(?=\n|$|/|export)", TEXT, re.MULTILINE | re.DOTALL)
    assert match is not None, name
    return match["body"].strip()


def test_every_name_is_declared_once_and_every_name_that_is_used_is_declared() -> None:
    names = re.findall(r"^export type (\w+) =", TEXT, re.MULTILINE)
    code = re.sub(r'"[^"]*"|/\*.*?\*/|//[^\n]*', "", TEXT, flags=re.DOTALL)
    used = set(re.findall(r"\b[A-Z]\w+", code)) - BUILT_IN

    assert len(names) == len(set(names))
    assert used <= set(names) | {"JsonValue", "RequestId"}
    assert set(UNIONS) <= set(names)


def test_brackets_are_closed() -> None:
    code = re.sub(r'"[^"]*"|/\*.*?\*/', "", TEXT, flags=re.DOTALL)
    assert [code.count(sign) for sign in "{<(["] == [code.count(sign) for sign in "}>)]"]


@pytest.mark.parametrize(
    ("shape", "field"),
    [
        ("ThreadRealtimeStartParams", "threadId: string;"),
        ("ThreadRealtimeStartParams", "prompt?: string | null;"),
        ("ThreadRealtimeStartParams", "initialItems?: Array<ThreadRealtimeInitialItem> | null;"),
        ("ThreadRealtimeStartParams", "transport?: ThreadRealtimeStartTransport | null;"),
        ("ThreadRealtimeAudioChunk", "samplesPerChannel: number | null;"),
        ("RealtimeVoicesList", 'v1: Array<"alloy" | '),
        ("RealtimeVoicesList", "v3?: Array<"),
        ("Turn", 'itemsView: "full" | "notLoaded" | "summary";'),
        ("TurnError", "codexErrorInfo: CodexErrorInfo | null;"),
        ("TurnStartParams", "responsesapiClientMetadata?: { [key in string]?: string } | null;"),
        ("ThreadListParams", "cwd?: string | Array<string> | null;"),
        ("McpToolCallResult", "_meta: JsonValue;"),
        ("TextInput", 'type: "text";'),
        ("ServerRequestResolvedNotification", "requestId: number | string;"),
    ],
)
def test_a_field_has_its_type(shape: str, field: str) -> None:
    assert f"\n  {field}" in declared(shape)


def test_nothing_is_an_empty_record() -> None:
    assert declared("Empty") == "Record<string, never>"


def test_a_union_lists_what_it_can_be() -> None:
    assert declared("ThreadStatus") == "NotLoadedStatus | IdleStatus | SystemErrorStatus | ActiveStatus"
    assert declared("AskForApproval").endswith('"untrusted" | GranularApproval')


def test_everything_that_can_be_sent_is_there() -> None:
    for method in (*METHODS, *SERVER_REQUESTS):
        assert f'{{ id: RequestId; method: "{method}"; params' in TEXT
        assert f'\n  "{method}": ' in TEXT
    for told in NOTIFICATIONS:
        assert f'{{ method: "{told}"; params: ' in TEXT
    assert '{ method: "initialized" }' in TEXT
    assert 'method: "account/logout"; params?: LogoutAccountParams }' in TEXT
    assert 'method: "account/login/start"; params: LoginAccountParams }' in TEXT
