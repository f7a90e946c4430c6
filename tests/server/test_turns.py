from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from backchannel import core
from backchannel.errors import LocalProtocolError
from backchannel.server import live_thread
from backchannel.server.asks import Ask
from tests.runtime.stage import ended, message, until
from tests.server.stage import Client, House, house

if TYPE_CHECKING:
    from pathlib import Path

TEXT = [{"type": "text", "text": "fix it"}]


async def begun(staged: House, client: Client) -> tuple[str, str]:
    """A thread in which a turn runs."""
    thread_id: str = (await client.ask("thread/start", {}))["thread"]["id"]
    turn = (await client.ask("turn/start", {"threadId": thread_id, "input": TEXT}))["turn"]
    assert (turn["status"], turn["items"], turn["itemsView"]) == ("inProgress", [], "notLoaded")
    await until(lambda: staged.agent(thread_id).requests != [], "the turn")
    return thread_id, turn["id"]


async def test_a_turn_is_told_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        agent = staged.agent(thread_id)
        for report in (
            core.AgentMessageDelta(turn_id="t", delta="Look"),
            core.AgentMessageDelta(turn_id="t", delta="ing."),
            message("t", "Looking."),
            core.AgentCommandStarted(turn_id="t", command_id="c", command="ls"),
            core.AgentCommandOutput(turn_id="t", command_id="c", text="a\n"),
            core.AgentCommandOutput(turn_id="t", command_id="c", text="b\n"),
            core.AgentCommandOutput(turn_id="t", command_id="unknown", text="b\n"),
            core.AgentCommandEnded(turn_id="t", command_id="c", exit_status=0, elapsed_s=1.5),
            core.AgentCommandEnded(turn_id="t", command_id="unknown", exit_status=0, elapsed_s=1.5),
            message("t", "Done.", final=True),
            ended("t"),
        ):
            agent.desk.put_nowait(report)
        completed = (await client.sees("turn/completed"))["turn"]
    assert client.methods == [
        "thread/started",
        "thread/status/changed",
        "turn/started",
        "item/started",
        "item/completed",
        "item/started",
        "item/agentMessage/delta",
        "item/agentMessage/delta",
        "item/completed",
        "item/started",
        "item/commandExecution/outputDelta",
        "item/commandExecution/outputDelta",
        "item/completed",
        "item/started",
        "item/completed",
        "thread/status/changed",
        "turn/completed",
    ]
    assert [status["status"]["type"] for status in client.all("thread/status/changed")] == ["active", "idle"]
    items = [each["item"] for each in client.all("item/completed")]
    assert [item["type"] for item in items] == ["userMessage", "agentMessage", "commandExecution", "agentMessage"]
    assert items[0]["content"] == [{"type": "text", "text": "fix it", "text_elements": []}]
    assert (items[1]["text"], items[1]["phase"]) == ("Looking.", "commentary")
    assert (items[2]["status"], items[2]["aggregatedOutput"], items[2]["exitCode"]) == ("completed", "a\nb\n", 0)
    assert items[2]["durationMs"] == 1500
    assert (items[3]["text"], items[3]["phase"]) == ("Done.", "final_answer")
    assert (completed["id"], completed["status"], completed["itemsView"]) == (turn_id, "completed", "summary")
    assert [item["text"] for item in completed["items"]] == ["Done."]
    assert completed["durationMs"] >= 0
    assert all(message["emittedAtMs"] > 0 for message in client.told)


async def test_what_is_asked_while_a_turn_runs_changes_it(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        agent = staged.agent(thread_id)
        again = await client.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": "and that"}]})
        assert again["turn"]["id"] == turn_id
        steer = {"threadId": thread_id, "input": TEXT, "expectedTurnId": turn_id}
        assert await client.ask("turn/steer", steer) == {"turnId": turn_id}
        await until(lambda: len(agent.steered) == 2, "the changes")
        assert agent.steered == ["and that", "fix it"]
        await client.sees("item/completed", times=3)
        said = await client.refused("turn/steer", {**steer, "expectedTurnId": "nope"})
        assert said == f"expected active turn id `nope` but found `{turn_id}`"
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
        assert await client.refused("turn/steer", steer) == "no active turn to steer"
    assert client.methods.count("turn/started") == 1


async def test_what_has_come_of_a_message_that_is_not_finished_stands(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, _ = await begun(staged, client)
        for report in (
            core.AgentMessageDropped(turn_id="t"),
            core.AgentMessageDelta(turn_id="t", delta="Look"),
            core.AgentMessageDelta(turn_id="t", delta="ing he"),
            core.AgentMessageDropped(turn_id="t"),
            core.AgentMessageDelta(turn_id="t", delta="Inst"),
            message("t", "Instead."),
            core.AgentMessageDelta(turn_id="t", delta="Do"),
            ended("t", core.Outcome.INTERRUPTED),
        ):
            staged.agent(thread_id).desk.put_nowait(report)
        last = (await client.sees("turn/completed"))["turn"]["items"]
        kept = await client.ask("thread/read", {"threadId": thread_id, "includeTurns": True})
    assert [item["text"] for item in last] == ["Instead."]
    items = [each["item"] for each in client.all("item/completed")][1:]
    assert [(item["text"], item["phase"]) for item in items] == [
        ("Looking he", None),
        ("Instead.", "commentary"),
        ("Do", None),
    ]
    ids = [item["id"] for item in items]
    assert [each["item"]["id"] for each in client.all("item/started")][1:] == ids
    deltas = [(each["itemId"], each["delta"]) for each in client.all("item/agentMessage/delta")]
    assert deltas == [(ids[0], "Look"), (ids[0], "ing he"), (ids[1], "Inst"), (ids[2], "Do")]
    assert [item["id"] for item in kept["thread"]["turns"][0]["items"]][1:] == ids


async def test_what_the_agent_thinks_is_told_and_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, _ = await begun(staged, client)
        for report in (
            core.AgentThoughtDelta(turn_id="t", delta="**Look"),
            core.AgentThoughtDelta(turn_id="t", delta="ing**"),
            core.AgentThoughtDelta(turn_id="t", delta="Found", part=2),
            core.AgentThought(turn_id="t", parts=("**Looking**", "Found.")),
            core.AgentThought(turn_id="t", parts=("At once.",)),
            core.AgentThoughtDelta(turn_id="t", delta="Half a "),
            core.AgentThoughtDelta(turn_id="t", delta="th"),
            core.AgentMessageDelta(turn_id="t", delta="Do"),
            message("t", "Done.", final=True),
            core.AgentThoughtDelta(turn_id="t", delta="Cut", part=10**9),
            ended("t", core.Outcome.INTERRUPTED),
        ):
            staged.agent(thread_id).desk.put_nowait(report)
        await client.sees("turn/completed")
        kept = await client.ask("thread/read", {"threadId": thread_id, "includeTurns": True})
    items = [each["item"] for each in client.all("item/completed")][1:]
    assert [item.get("summary", item.get("text")) for item in items] == [
        ["**Looking**", "Found."],
        ["At once."],
        ["Half a th"],
        "Done.",
        [*[""] * 99, "Cut"],
    ]
    ids = [item["id"] for item in items]
    assert [each["item"]["id"] for each in client.all("item/started")][1:] == ids
    parts = [(each["itemId"], each["summaryIndex"]) for each in client.all("item/reasoning/summaryPartAdded")]
    assert parts[:5] == [(ids[0], 0), (ids[0], 1), (ids[0], 2), (ids[2], 0), (ids[4], 0)]
    deltas = [
        (each["itemId"], each["summaryIndex"], each["delta"]) for each in client.all("item/reasoning/summaryTextDelta")
    ]
    assert deltas == [
        (ids[0], 0, "**Look"),
        (ids[0], 0, "ing**"),
        (ids[0], 2, "Found"),
        (ids[2], 0, "Half a "),
        (ids[2], 0, "th"),
        (ids[4], 99, "Cut"),
    ]
    assert [item["id"] for item in kept["thread"]["turns"][0]["items"]][1:] == ids


async def test_a_question_that_is_put_again_is_another_one(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, _ = await begun(staged, client)
        for _ in range(2):
            await asked(staged, client, thread_id)
        assert await client.sees("serverRequest/resolved") == {"threadId": thread_id, "requestId": 0}
        client.answer(MAY_RUN, {"decision": "accept"})
        await client.ask("thread/loaded/list", {})
        assert staged.agent(thread_id).answers == []
        client.answer(MAY_RUN, {"decision": "decline"}, number=1)
        await until(lambda: staged.agent(thread_id).answers == [("a", False)], "the answer")
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await client.sees("turn/completed")


async def test_what_comes_too_late_for_a_turn_is_the_next_one(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        agent = staged.agent(thread_id)
        agent.accepts_steer = asyncio.Event()
        await client.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": "and that"}]})
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
        agent.refuses_with = LocalProtocolError("no turn is running")
        agent.accepts_steer.set()
        assert (await client.sees("turn/started", times=2))["turn"]["id"] != turn_id
        assert [request.text for request in agent.requests] == ["fix it", "and that"]
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed", times=2)
        assert client.all("error") == []


@pytest.mark.parametrize("how", ["does not answer", "breaks down"])
async def test_an_agent_that_cannot_be_stopped_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(live_thread, "_CLEARING_UP_S", 0.1)
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        agent = staged.agent(thread_id)

        async def interrupt() -> None:
            if how == "breaks down":
                raise RuntimeError("it broke down")
            await asyncio.Event().wait()

        monkeypatch.setattr(agent, "interrupt", interrupt)
        assert await client.ask("turn/interrupt", {"threadId": thread_id, "turnId": turn_id}) == {}
        assert (await client.sees("turn/completed"))["turn"]["status"] == "failed"
        assert not agent.running


async def test_what_is_asked_while_a_turn_is_being_stopped_is_the_next_one(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client, other = await staged.client(), await staged.client()
        thread_id, turn_id = await begun(staged, client)
        agent = staged.agent(thread_id)
        client.send("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
        await until(lambda: agent.interrupts == 1, "the interruption")
        answers = [
            (await other.ask("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": text}]}))["turn"]
            for text in ("and that", "quickly")
        ]
        assert agent.steered == []
        agent.desk.put_nowait(ended("t", core.Outcome.INTERRUPTED))
        began = (await client.sees("turn/started", times=2))["turn"]
        assert [answer["id"] for answer in answers] == [began["id"]] * 2
        await until(lambda: agent.steered == ["quickly"], "the change")
        assert [request.text for request in agent.requests] == ["fix it", "and that"]
        agent.desk.put_nowait(ended("t"))
        assert (await client.sees("turn/completed", times=2))["turn"]["id"] == began["id"]


async def test_what_is_asked_as_the_next_turn_is_about_to_begin_changes_it(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        live, agent = staged.app.threads[thread_id], staged.agent(thread_id)
        client.send("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
        await until(lambda: agent.interrupts == 1, "the interruption")
        asked_at_the_end = list[object]()
        assert live.turn is not None
        live.turn.listeners.append(lambda _: asked_at_the_end.append(live.submit(Ask(text="quickly"))))
        turn = live.submit(Ask(text="next"))
        agent.desk.put_nowait(ended("t", core.Outcome.INTERRUPTED))
        await until(lambda: asked_at_the_end == [turn], "the end of the first turn")
        await until(lambda: agent.steered == ["quickly"], "the change")
        assert [request.text for request in agent.requests] == ["fix it", "next"]
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed", times=2)


async def test_who_asked_for_the_next_turn_and_is_gone_is_told_nothing_of_it(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        live, agent = staged.app.threads[thread_id], staged.agent(thread_id)
        id_ = client.send("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
        await until(lambda: agent.interrupts == 1, "the interruption")
        heard = list[core.AgentReport]()
        turn = live.submit(Ask(text="next", by_voice=True), listener=heard.append)
        turn.listeners.remove(heard.append)
        agent.desk.put_nowait(ended("t", core.Outcome.INTERRUPTED))
        await client.answer_to(id_)
        live.on_report = heard.append
        agent.desk.put_nowait(message("t", "Next."))
        await until(lambda: heard == [message("t", "Next.")], "what the new voice hears")
        assert live.turn is turn
        agent.desk.put_nowait(ended("t"))
        await client.sees("turn/completed", times=2)


async def test_what_was_asked_before_a_stop_is_not_begun_after_it(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        agent = staged.agent(thread_id)
        agent.refuses_with = LocalProtocolError("no turn is running")
        client.send("turn/steer", {"threadId": thread_id, "input": TEXT, "expectedTurnId": turn_id})
        await interrupted(staged, client, thread_id, turn_id)
        told = (await client.sees("error"))["error"]["message"]
        assert told == "failed to submit turn input: the turn was stopped before it could take this"
        assert staged.app.threads[thread_id].turn is None
        assert len(agent.requests) == 1


async def interrupted(staged: House, client: Client, thread_id: str, turn_id: str) -> Any:
    id_ = client.send("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
    agent = staged.agent(thread_id)
    await until(lambda: agent.interrupts == 1, "the interruption")
    agent.desk.put_nowait(ended("t", core.Outcome.INTERRUPTED))
    return (await client.answer_to(id_))["result"]


async def test_a_turn_can_be_stopped(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        said = await client.refused("turn/interrupt", {"threadId": thread_id, "turnId": "nope"})
        assert said == f"expected active turn id nope but found {turn_id}"
        assert await interrupted(staged, client, thread_id, turn_id) == {}
        assert (await client.sees("turn/completed"))["turn"]["status"] == "interrupted"
        said = await client.refused("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
        assert said == "no active turn to interrupt"


async def test_what_goes_wrong_in_an_agent_fails_its_turn(tmp_path: Path) -> None:
    for last, error in (
        (
            core.AgentTurnEnded(turn_id="t", outcome=core.Outcome.FAILED, error="The model is gone."),
            "The model is gone.",
        ),
        (RuntimeError("a bug"), "the agent desk broke down: RuntimeError"),
        (None, "the agent desk stopped without saying how it ended"),
    ):
        async with house(tmp_path) as staged:
            client = await staged.client()
            thread_id, turn_id = await begun(staged, client)
            staged.agent(thread_id).desk.put_nowait(last)
            completed = (await client.sees("turn/completed"))["turn"]
            assert (completed["status"], completed["error"]["message"]) == ("failed", error)
            told = await client.sees("error")
            assert (told["turnId"], told["willRetry"], told["error"]["message"]) == (turn_id, False, error)


def _request(approval_id: str = "a") -> core.AgentApprovalRequested:
    return core.AgentApprovalRequested(turn_id="t", approval_id=approval_id, action="push", detail="git push")


async def asked(staged: House, client: Client, thread_id: str) -> Any:
    n_before = len(client.all("item/commandExecution/requestApproval"))
    staged.agent(thread_id).desk.put_nowait(_request())
    return await client.sees("item/commandExecution/requestApproval", times=n_before + 1)


async def test_permission_is_asked_of_the_client(tmp_path: Path) -> None:
    for decision, approved in (
        ("accept", True),
        ("acceptForSession", True),
        ("decline", False),
        ({"odd": {}}, False),
    ):
        async with house(tmp_path) as staged:
            client = await staged.client()
            thread_id, turn_id = await begun(staged, client)
            request = await asked(staged, client, thread_id)
            assert (request["threadId"], request["turnId"], request["command"]) == (thread_id, turn_id, "git push")
            assert client.all("thread/status/changed")[-1]["status"]["activeFlags"] == ["waitingOnApproval"]
            client.answer("item/commandExecution/requestApproval", {"decision": decision})
            await until(lambda: staged.agent(thread_id).answers != [], "the answer")  # noqa: B023 - waited for here
            assert staged.agent(thread_id).answers == [("a", approved)]
            assert staged.agent(thread_id).permitted_for_good == ["a"] * (decision == "acceptForSession")
            assert request["availableDecisions"] == ["accept", "acceptForSession", "decline", "cancel"]
            assert (await client.sees("serverRequest/resolved")) == {"threadId": thread_id, "requestId": 0}
            assert client.all("thread/status/changed")[-1]["status"]["activeFlags"] == []
            staged.agent(thread_id).desk.put_nowait(ended("t"))
            await client.sees("turn/completed")


MAY_RUN = "item/commandExecution/requestApproval"


async def test_a_client_may_refuse_and_stop_the_turn_at_once(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, _ = await begun(staged, client)
        await asked(staged, client, thread_id)
        client.answer(MAY_RUN, {"decision": "cancel"})
        agent = staged.agent(thread_id)
        await until(lambda: agent.interrupts == 1, "the interruption")
        assert agent.answers == [("a", False)]
        agent.desk.put_nowait(ended("t", core.Outcome.INTERRUPTED))
        assert (await client.sees("turn/completed"))["turn"]["status"] == "interrupted"
        assert client.all("item/completed")[-1]["item"]["status"] == "declined"


async def test_a_question_that_no_client_can_answer_is_declined(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        first, second = await staged.client(), await staged.client()
        thread_id, _ = await begun(staged, first)
        agent = staged.agent(thread_id)
        await asked(staged, first, thread_id)
        # As long as another may answer, it waits for that one.
        await second.ask("thread/resume", {"threadId": thread_id})
        await second.sees(MAY_RUN)
        first.cannot_answer(MAY_RUN)
        await first.ask("thread/loaded/list", {})
        assert agent.answers == []
        second.cannot_answer(MAY_RUN)
        await until(lambda: agent.answers == [("a", False)], "the answer")
        for client in (first, second):
            await client.sees("serverRequest/resolved")
        # Who leaves may come back: nobody being there is no answer.
        await asked(staged, first, thread_id)
        staged.app.disconnect(second.peer)
        first.cannot_answer(MAY_RUN, number=1)
        await until(lambda: agent.answers == [("a", False)] * 2, "the answer")
        await asked(staged, first, thread_id)
        staged.app.disconnect(first.peer)
        third = await staged.client()
        await third.ask("thread/resume", {"threadId": thread_id})
        await third.sees(MAY_RUN)
        third.answer(MAY_RUN, {"decision": "accept"})
        await until(lambda: agent.answers[2:] == [("a", True)], "the answer")
        agent.desk.put_nowait(ended("t"))
        await third.sees("turn/completed")


async def settled(client: Client) -> None:
    """Wait until what has begun has gone through: a request takes more steps than a question's end."""
    for _ in range(10):
        await client.ask("thread/loaded/list", {})


async def two_asked(staged: House) -> tuple[Client, Client, str]:
    """Two clients that are asked for permission."""
    first, second = await staged.client(), await staged.client()
    thread_id, _ = await begun(staged, first)
    await second.ask("thread/resume", {"threadId": thread_id})
    await asked(staged, first, thread_id)
    await second.sees(MAY_RUN)
    return first, second, thread_id


async def over(staged: House, client: Client, thread_id: str) -> None:
    staged.agent(thread_id).desk.put_nowait(ended("t"))
    await client.sees("turn/completed")


async def test_who_cannot_answer_and_leaves_does_not_answer_for_the_others(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        first, second, thread_id = await two_asked(staged)
        third = await staged.client()
        first.cannot_answer(MAY_RUN)
        await settled(third)
        staged.app.disconnect(first.peer)
        staged.app.disconnect(second.peer)
        await settled(third)
        assert staged.agent(thread_id).answers == []
        await third.ask("thread/resume", {"threadId": thread_id})
        await over(staged, third, thread_id)


async def test_who_cannot_answer_and_unsubscribes_does_not_answer_for_the_others(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        first, second, thread_id = await two_asked(staged)
        first.cannot_answer(MAY_RUN)
        await first.ask("thread/unsubscribe", {"threadId": thread_id})
        await settled(second)
        assert staged.agent(thread_id).answers == []
        second.cannot_answer(MAY_RUN)
        await until(lambda: staged.agent(thread_id).answers == [("a", False)], "the answer")
        await over(staged, second, thread_id)


async def test_an_answer_that_comes_with_the_next_question_does_not_count_for_that_one(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, _ = await begun(staged, client)
        await asked(staged, client, thread_id)
        agent = staged.agent(thread_id)
        agent.desk.put_nowait(
            core.AgentApprovalRequested(turn_id="t", approval_id="a", action="wipe", detail="rm -rf /")
        )
        client.answer(MAY_RUN, {"decision": "accept"})
        assert (await client.sees(MAY_RUN, times=2))["command"] == "rm -rf /"
        await settled(client)
        assert agent.answers == []
        assert [each["requestId"] for each in client.all("serverRequest/resolved")] == [0]
        await over(staged, client, thread_id)


async def test_when_the_voice_ends_a_question_that_only_it_could_have_answered_is_declined(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, _ = await begun(staged, client)
        live = staged.app.threads[thread_id]
        live.on_report = lambda _: None
        await asked(staged, client, thread_id)
        client.cannot_answer(MAY_RUN)
        await settled(client)
        assert staged.agent(thread_id).answers == []
        live.voice_ended()
        await until(lambda: staged.agent(thread_id).answers == [("a", False)], "the answer")
        await over(staged, client, thread_id)


async def test_the_voice_hears_that_a_client_has_answered(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        live, heard = staged.app.threads[thread_id], list[core.AgentReport]()
        turn = live.submit(Ask(text="push it", by_voice=True), listener=heard.append)
        await until(lambda: staged.agent(thread_id).requests != [], "the turn")
        await asked(staged, client, thread_id)
        client.answer(MAY_RUN, {"decision": "accept"})
        withdrawn = core.AgentApprovalWithdrawn(turn_id=turn.turn_id, approval_id="a")
        await until(lambda: heard[1:] == [withdrawn], "what the voice hears")
        # Of its own answer it is told nothing.
        await asked(staged, client, thread_id)
        assert await live.decide("a", approved=False)
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
        assert heard[2:] == [_request(), ended("t")]
        assert staged.agent(thread_id).answers == [("a", True), ("a", False)]


async def test_who_is_not_told_of_a_thread_any_more_answers_nothing_there(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        first, second = await staged.client(), await staged.client()
        thread_id, _ = await begun(staged, first)
        await second.ask("thread/resume", {"threadId": thread_id})
        await asked(staged, first, thread_id)
        await second.sees(MAY_RUN)
        await second.ask("thread/unsubscribe", {"threadId": thread_id})
        assert (await second.sees("serverRequest/resolved"))["threadId"] == thread_id
        second.answer(MAY_RUN, {"decision": "accept"})
        await second.ask("thread/loaded/list", {})
        assert staged.agent(thread_id).answers == []
        first.answer(MAY_RUN, {"decision": "decline"})
        await until(lambda: staged.agent(thread_id).answers == [("a", False)], "the answer")
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await first.sees("turn/completed")


CHANGES = (
    core.FileChange(path="a.py", kind="update", diff="@@\n-a\n+b\n", moved_to="b.py"),
    core.FileChange(path="new.py", kind="add", diff="x\n"),
    core.FileChange(path="old.py", kind="delete", diff=""),
)
SEEN_CHANGES = [
    {"path": "a.py", "kind": {"type": "update", "move_path": "b.py"}, "diff": "@@\n-a\n+b\n"},
    {"path": "new.py", "kind": {"type": "add"}, "diff": "x\n"},
    {"path": "old.py", "kind": {"type": "delete"}, "diff": ""},
]


@pytest.mark.parametrize(("decision", "status"), [("accept", "completed"), ("decline", "declined")])
async def test_a_change_of_files_is_asked_for_and_shown_as_one(tmp_path: Path, decision: str, status: str) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        desk = staged.agent(thread_id).desk
        desk.put_nowait(
            core.AgentApprovalRequested(
                turn_id="t", approval_id="a", action="change a.py", detail="patch", command_id="c", changes=CHANGES
            )
        )
        request = await client.sees("item/fileChange/requestApproval")
        item = (await client.sees("item/started", times=2))["item"]
        assert item == {**item, "type": "fileChange", "status": "inProgress", "changes": SEEN_CHANGES}
        assert (request["itemId"], request["turnId"], request["reason"]) == (item["id"], turn_id, "change a.py")
        client.answer("item/fileChange/requestApproval", {"decision": decision})
        await until(lambda: staged.agent(thread_id).answers != [], "the answer")
        if decision == "accept":
            desk.put_nowait(
                core.AgentCommandStarted(turn_id="t", command_id="c", command="apply_patch", changes=CHANGES)
            )
            desk.put_nowait(core.AgentCommandOutput(turn_id="t", command_id="c", text="passed over"))
            desk.put_nowait(core.AgentCommandEnded(turn_id="t", command_id="c", exit_status=0, elapsed_s=0.1))
        desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
    assert [each["item"]["type"] for each in client.all("item/started")] == ["userMessage", "fileChange"]
    last = client.all("item/completed")[-1]["item"]
    assert last == {**item, "status": status, "completedAtMs": last["completedAtMs"]}
    assert item["completedAtMs"] is None
    assert item["startedAtMs"] <= last["completedAtMs"]


async def test_a_command_that_waits_for_permission_is_one_item(tmp_path: Path) -> None:
    for approved in (True, False):
        async with house(tmp_path) as staged:
            client = await staged.client()
            thread_id, _ = await begun(staged, client)
            desk = staged.agent(thread_id).desk
            wanted = core.AgentApprovalRequested(
                turn_id="t", approval_id="a", action="run make", detail="make", command_id="c"
            )
            desk.put_nowait(wanted)
            item_id = (await client.sees("item/commandExecution/requestApproval"))["itemId"]
            client.answer("item/commandExecution/requestApproval", {"decision": "accept" if approved else "decline"})
            await client.sees("serverRequest/resolved")
            if approved:
                desk.put_nowait(core.AgentCommandStarted(turn_id="t", command_id="c", command="make"))
                desk.put_nowait(core.AgentCommandEnded(turn_id="t", command_id="c", exit_status=1, elapsed_s=0.1))
            desk.put_nowait(ended("t"))
            await client.sees("turn/completed")
        started = [each["item"]["id"] for each in client.all("item/started")]
        assert started[1:] == [item_id]
        last = client.all("item/completed")[-1]["item"]
        expected = ("failed", 1) if approved else ("declined", None)
        assert (last["id"], last["status"], last["exitCode"]) == (item_id, *expected)


async def test_what_a_thread_has_cost_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        cost = core.TokensUsed(input=10, cached_input=4, output=5, reasoning_output=2)
        end = core.AgentTurnEnded(turn_id="t", outcome=core.Outcome.COMPLETED, tokens=cost + cost, last_tokens=cost)
        staged.agent(thread_id).desk.put_nowait(end)
        await client.sees("turn/completed")
        assert client.methods[-3:] == ["thread/tokenUsage/updated", "thread/status/changed", "turn/completed"]
        await client.ask("turn/start", {"threadId": thread_id, "input": TEXT})
        await until(lambda: len(staged.agent(thread_id).requests) > 1, "the next turn")
        staged.agent(thread_id).desk.put_nowait(end)
        await client.sees("turn/completed", times=2)
    first, second = client.all("thread/tokenUsage/updated")
    one = {"totalTokens": 15, "inputTokens": 10, "cachedInputTokens": 4, "outputTokens": 5, "reasoningOutputTokens": 2}
    assert (first["threadId"], first["turnId"]) == (thread_id, turn_id)
    assert first["tokenUsage"]["last"] == {"cacheWriteInputTokens": 0, **one}
    assert first["tokenUsage"]["total"]["totalTokens"] == 30
    assert second["tokenUsage"]["total"]["totalTokens"] == 60


async def test_the_first_answer_counts(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        first, second = await staged.client(), await staged.client()
        thread_id, _ = await begun(staged, first)
        await second.ask("thread/resume", {"threadId": thread_id})
        await asked(staged, first, thread_id)
        await second.sees("item/commandExecution/requestApproval")
        second.answer("item/commandExecution/requestApproval", {"decision": "accept"})
        await until(lambda: staged.agent(thread_id).answers != [], "the answer")
        await first.sees("serverRequest/resolved")
        first.answer("item/commandExecution/requestApproval", {"decision": "decline"})
        await first.ask("thread/loaded/list", {})
        assert staged.agent(thread_id).answers == [("a", True)]
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await first.sees("turn/completed")


async def test_who_comes_later_is_asked_too(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        first, second = await staged.client(), await staged.client()
        thread_id, _ = await begun(staged, first)
        await asked(staged, first, thread_id)
        staged.app.disconnect(first.peer)
        for _ in range(2):
            # Once, however often it asks for the thread.
            resumed = (await second.ask("thread/resume", {"threadId": thread_id}))["thread"]
        assert resumed["status"] == {"type": "active", "activeFlags": ["waitingOnApproval"]}
        request = await second.sees("item/commandExecution/requestApproval")
        assert request["command"] == "git push"
        second.answer("item/commandExecution/requestApproval", {"decision": "accept"})
        await until(lambda: staged.agent(thread_id).answers == [("a", True)], "the answer")
        await second.sees("serverRequest/resolved")
        await second.ask("thread/resume", {"threadId": thread_id})
        assert len(second.all("item/commandExecution/requestApproval")) == 1
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await second.sees("turn/completed")


async def test_stopping_a_turn_takes_its_questions_back(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, turn_id = await begun(staged, client)
        await asked(staged, client, thread_id)
        await interrupted(staged, client, thread_id, turn_id)
        await client.sees("serverRequest/resolved")
        await client.sees("turn/completed")
        assert staged.agent(thread_id).answers == []


async def test_the_agent_may_take_its_question_back(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id, _ = await begun(staged, client)
        await asked(staged, client, thread_id)
        staged.agent(thread_id).desk.put_nowait(core.AgentApprovalWithdrawn(turn_id="t", approval_id="a"))
        await client.sees("serverRequest/resolved")
        client.answer("item/commandExecution/requestApproval", {"decision": "accept"})
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await client.sees("turn/completed")
        assert staged.agent(thread_id).answers == []


async def test_a_turn_of_a_thread_that_is_not_loaded_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        unknown = "00000000-0000-4000-8000-000000000000"
        assert (
            await client.refused("turn/start", {"threadId": unknown, "input": TEXT}) == f"thread not found: {unknown}"
        )
        said = await client.refused("turn/start", {"threadId": "no", "input": TEXT})
        assert said.startswith("invalid thread id: ")


async def test_who_is_not_subscribed_is_told_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as staged:
        client, other = await staged.client(), await staged.client()
        thread_id, _ = await begun(staged, client)
        assert await client.ask("thread/unsubscribe", {"threadId": thread_id}) == {"status": "unsubscribed"}
        assert await client.ask("thread/unsubscribe", {"threadId": thread_id}) == {"status": "notSubscribed"}
        staged.agent(thread_id).desk.put_nowait(ended("t"))
        await until(lambda: staged.agent(thread_id).finished == 1, "the end")
        unknown = "00000000-0000-4000-8000-000000000000"
        assert await client.ask("thread/unsubscribe", {"threadId": unknown}) == {"status": "notLoaded"}
    assert "turn/completed" not in client.methods
    assert other.methods == []
