from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING, Never

from backchannel.server.dispatch import MAX_WAITING
from tests.runtime.stage import until
from tests.server.stage import house

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_a_client_has_to_introduce_itself_once(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client(introduced=False)
        assert await client.refused("thread/list", {}) == "Not initialized"
        result = await client.introduce()
        assert result["codexHome"] == str(tmp_path / "state")
        assert result["userAgent"].startswith("stage/")
        assert (result["platformFamily"], result["platformOs"]) in {
            ("unix", "linux"),
            ("unix", "macos"),
            ("windows", "windows"),
        }
        assert (
            await client.refused("initialize", {"clientInfo": {"name": "x", "version": "1"}}) == "Already initialized"
        )


async def test_what_is_experimental_has_to_be_asked_for(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client(experimentalApi=False)
        said = await client.refused("thread/realtime/listVoices", {})
        assert said == "thread/realtime/listVoices requires experimentalApi capability"
        said = await client.refused("thread/start", {"mockExperimentalField": "x"})
        assert said == "thread/start.mockExperimentalField requires experimentalApi capability"
        await client.ask("thread/start", {"mockExperimentalField": None})


async def test_an_unknown_method_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        said = await client.refused("nope", {})
        assert said.startswith("Invalid request: unknown variant `nope`, expected one of `initialize`, ")


async def test_ids_come_back_as_they_were(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        for id_ in ("a", 7, "7", -1):
            client.send("thread/loaded/list", {}, id_=id_)
            answer = await client.answer_to(id_)
            assert answer["id"] == id_
            assert type(answer["id"]) is type(id_)


async def test_what_cannot_be_read_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        for message in ("garbage", '{"foo": 1}', "\n", '{"method": "initialized"}', '{"id": 99, "result": {}}'):
            client.dialogue.receive(message)
        assert await client.ask("thread/loaded/list", {}) == {"data": [], "nextCursor": None}
    assert caplog.text.count("cannot be read") == 3


async def test_what_a_client_does_not_want_it_is_not_told(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client(optOutNotificationMethods=["thread/started", "unknown/one"])
        other = await staged.client()
        await client.ask("thread/start", {})
        await other.ask("thread/start", {})
        await other.sees("thread/started")
    assert client.methods == []


async def test_too_many_requests_at_once_are_refused_and_every_one_has_an_answer(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        ids = [client.send("thread/list", {}) for _ in range(10_000)]
        await until(lambda: len(client.answers) == 10_000, "an answer to each", timeout_s=15)
        refused = [id_ for id_ in ids if "error" in client.answers[id_]]
        assert len(ids) - len(refused) >= MAX_WAITING
        assert {client.answers[id_]["error"]["code"] for id_ in refused} == {-32001}
        assert (await client.ask("thread/list", {}))["data"] == []


async def test_requests_are_done_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        for _ in range(3):
            client.send("thread/start", {})
        last = client.send("thread/loaded/list", {})
        assert len((await client.answer_to(last))["result"]["data"]) == 3


async def test_a_client_that_does_not_read_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client(max_bytes=2000)
        for _ in range(200):
            client.send("thread/realtime/listVoices", {})
        assert client.is_given_up
    assert caplog.text.count("does not read") == 1


async def test_a_bug_fails_one_request_and_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()

        def broken(*_: object) -> Never:
            raise RuntimeError("a bug")

        staged.dispatcher.at_once["thread/loaded/list"] = broken
        answer = await client.answer_to(client.send("thread/loaded/list", {}))
        assert answer["error"]["code"] == -32603
        assert "RuntimeError" in answer["error"]["message"]
        assert await client.ask("model/list", {}) == {"data": [], "nextCursor": None}
    assert "thread/loaded/list failed" in caplog.text


async def test_models_are_those_of_the_agent(tmp_path: Path) -> None:
    async with house(tmp_path, models=("one", "two")) as staged:
        client = await staged.client()
        models = (await client.ask("model/list", {}))["data"]
    assert [(model["id"], model["isDefault"]) for model in models] == [("one", True), ("two", False)]


async def test_a_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    async with house(tmp_path, api_key=None) as staged:
        client = await staged.client()
        assert (await client.ask("account/read", {}))["account"] is None
        assert await client.ask("account/login/start", {"type": "apiKey", "apiKey": "sk-planted-key-1"}) == {
            "type": "apiKey"
        }
        assert (await client.sees("account/login/completed"))["success"] is True
        assert (await client.sees("account/updated"))["authMode"] == "apikey"
        assert (await client.ask("account/read", {}))["account"] == {"type": "apiKey"}
        kept = tmp_path / "state" / "credentials.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert await client.ask("account/logout") == {}
        assert not await asyncio.to_thread(kept.exists)
        assert (await client.ask("account/read", {}))["account"] is None
        assert await client.ask("account/logout") == {}


async def test_a_key_that_cannot_be_kept_is_no_login(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the place of the folder")
    async with house(tmp_path, api_key=None) as staged:
        client = await staged.client()
        answer = await client.answer_to(client.send("account/login/start", {"type": "apiKey", "apiKey": "x"}))
        assert "cannot be kept" in answer["error"]["message"]
        assert (await client.ask("account/read", {}))["account"] is None


async def test_features_are_listed(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        features = (await client.ask("experimentalFeature/list", {}))["data"]
        assert features[0]["name"] == "realtime_conversation"
        assert features[0]["enabled"] is True
