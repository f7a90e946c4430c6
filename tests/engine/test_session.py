"""Sessions over real websockets, with speech components that always do the same."""

from __future__ import annotations

import asyncio
import base64
from random import Random
from typing import TYPE_CHECKING

import pytest

from backchannel.engine.hearing import MAX_UTTERANCE_MS
from backchannel.engine.outbox import SPEAK_LIMIT
from backchannel.engine.protocol import MAX_MESSAGE_BYTES
from backchannel.engine.responder import DELTA_BYTES, FIRST_DELTA_BYTES
from backchannel.engine.session import NO_SYNTHESIZER
from backchannel.engine.speech.base import Heard
from backchannel.errors import SpeechError
from tests.engine.parts import (
    TOOLS,
    EndlessSpeaker,
    ScriptedRecogniser,
    ToneSpeaker,
    calls,
    connected,
    engine,
    eventually,
    kinds,
    quiet,
    spoken,
    standstill,
    tone,
    words,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

MANUAL = {"input": {"turn_detection": None, "transcription": {"model": "any"}}}


def waiting_for_interruption(**detection: object) -> dict[str, object]:
    return {"input": {"transcription": {"model": "any"}, "turn_detection": {"type": "server_vad", **detection}}}


async def test_a_spoken_request_in_the_order_of_the_public_api() -> None:
    speaker = ToneSpeaker()
    async with engine(ScriptedRecogniser("run the tests"), speaker) as server, connected(server.url) as client:
        await client.configure()
        first = len(client.seen)
        await client.say()
        response = await client.response()
    assert kinds(client.seen[first:]) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert calls(response) == [("background_agent", {"prompt": "run the tests"})]
    assert len(spoken(response)) == len(tone(100)) * ((len(words(response)) + 1) // 2)
    assert speaker.said == [words(response)]
    done = response[-1]["response"]
    assert done["status"] == "completed"
    assert [item["type"] for item in done["output"]] == ["message", "function_call"]


async def test_ids_are_unique_and_items_are_referred_to_by_the_same_id() -> None:
    async with (
        engine(ScriptedRecogniser("run the tests"), ToneSpeaker()) as server,
        connected(server.url) as client,
    ):
        await client.configure()
        await client.say()
        response = await client.response()
    event_ids = [event["event_id"] for event in client.seen]
    assert len(set(event_ids)) == len(event_ids)
    assert all(event_id.startswith("event_") for event_id in event_ids)
    by_kind = {event["type"]: event for event in client.seen}
    item_id = by_kind["input_audio_buffer.speech_started"]["item_id"]
    assert item_id.startswith("item_")
    for kind in ("input_audio_buffer.speech_stopped", "input_audio_buffer.committed"):
        assert by_kind[kind]["item_id"] == item_id
    assert by_kind["conversation.item.input_audio_transcription.completed"]["item_id"] == item_id
    response_ids = {event["response_id"] for event in response if "response_id" in event}
    assert response_ids == {response[0]["response"]["id"]}
    call = response[-1]["response"]["output"][1]
    assert call["call_id"].startswith("call_")
    assert [event.get("output_index") for event in response if event["type"] == "response.output_item.done"] == [0, 1]


async def test_the_first_piece_of_speech_is_small_and_the_rest_is_not() -> None:
    async with engine(ScriptedRecogniser("hello"), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.say()
        response = await client.response()
    sizes = [
        len(base64.b64decode(event["delta"])) for event in response if event["type"] == "response.output_audio.delta"
    ]
    assert sizes[0] == FIRST_DELTA_BYTES
    assert set(sizes[1:-1]) == {DELTA_BYTES}


async def test_the_recogniser_gets_the_turn_with_its_padding_and_little_of_the_silence() -> None:
    recogniser = ScriptedRecogniser("hello", "hello")
    async with engine(recogniser, ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        for expected_ms in (500, 500 + 400 + 500):
            await client.hear(quiet(1000), tone(500))
            if expected_ms > 500:
                await client.hear(quiet(400), tone(500))
            await client.hear(quiet(1000))
            await client.response()
            heard_ms = recogniser.fed_bytes[-1] / 32
            assert expected_ms + 300 <= heard_ms <= expected_ms + 300 + 200 + 100


async def test_positions_of_turns_count_from_the_start_of_the_stream() -> None:
    async with engine(ScriptedRecogniser("", ""), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.hear(quiet(1000), tone(500), quiet(1000), tone(500), quiet(1000))
        starts = [(await client.until("input_audio_buffer.speech_started"))["audio_start_ms"] for _ in range(2)]
        stop = await client.until("input_audio_buffer.speech_stopped")
    assert starts[0] == pytest.approx(700, abs=50)
    assert starts[1] == pytest.approx(2200, abs=50)
    assert stop["audio_end_ms"] == pytest.approx(3500, abs=50)


async def test_ambient_speech_gives_an_empty_response() -> None:
    babble = Heard(text="of the and", confidence=0.1, from_grammar=False)
    async with engine(ScriptedRecogniser(babble), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.say()
        response = await client.response()
    assert kinds(response) == ["response.created", "response.done"]
    assert response[-1]["response"]["status"] == "completed"
    assert response[-1]["response"]["output"] == []


async def test_a_tools_answer_is_spoken_when_a_response_is_asked_for() -> None:
    async with (
        engine(ScriptedRecogniser("run the tests", "how is it going"), ToneSpeaker()) as server,
        connected(server.url) as client,
    ):
        await client.configure()
        await client.say()
        call_id = (await client.response())[-1]["response"]["output"][1]["call_id"]
        await client.write("[BACKEND] 3 of 12 tests ran.")
        assert words(await client.ask()) == "3 of 12 tests ran."
        await client.say()
        status = (await client.response())[-1]["response"]["output"]
        assert [(item["type"], item["name"]) for item in status] == [("function_call", "agent_status")]
        await client.answer(status[0]["call_id"], "Still working on the tests.")
        assert words(await client.ask()) == "Still working on the tests."
        await client.write("[BACKEND] All 12 tests pass.\n\nThe list of them.")
        await client.answer(call_id, "It is done; see the [BACKEND] messages.")
        assert words(await client.ask()) == "All 12 tests pass."
        empty = await client.ask()
    assert kinds(empty) == ["response.created", "response.done"]


async def test_text_modality_gives_text_and_no_audio() -> None:
    speaker = ToneSpeaker()
    async with engine(ScriptedRecogniser("run the tests"), speaker) as server, connected(server.url) as client:
        updated = await client.configure(output_modalities=["text"])
        assert updated["session"]["output_modalities"] == ["text"]
        await client.say()
        response = await client.response()
    assert kinds(response)[3:8] == [
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
    ]
    assert words(response)
    assert calls(response)
    assert speaker.said == []


async def test_one_response_may_be_text_in_a_session_that_speaks() -> None:
    async with engine(ScriptedRecogniser(), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.write("[BACKEND] Done.")
        await client.send("response.create", response={"output_modalities": ["text"], "metadata": {"a": "b"}})
        response = await client.response()
    assert "response.output_text.done" in kinds(response)
    assert response[-1]["response"]["metadata"] == {"a": "b"}
    assert response[-1]["response"]["output_modalities"] == ["text"]


async def test_without_a_synthesizer_answers_are_written_and_a_person_is_told_once() -> None:
    notices: list[str] = []
    async with (
        engine(ScriptedRecogniser("hello", "hello"), None, on_notice=notices.append) as server,
        connected(server.url) as client,
    ):
        updated = await client.configure(output_modalities=["audio"])
        assert updated["session"]["output_modalities"] == ["text"]
        for _ in range(2):
            await client.say()
            assert "response.output_text.done" in kinds(await client.response())
    assert notices == [NO_SYNTHESIZER]


async def test_a_synthesizer_that_fails_at_once_leaves_the_answer_in_writing() -> None:
    notices: list[str] = []
    speaker = ToneSpeaker(pieces_before_failure=0)
    async with (
        engine(ScriptedRecogniser("run the tests"), speaker, on_notice=notices.append) as server,
        connected(server.url) as client,
    ):
        await client.configure()
        await client.say()
        response = await client.response()
    assert "response.output_text.done" in kinds(response)
    assert calls(response)
    assert response[-1]["response"]["status"] == "completed"
    assert len(notices) == 1


async def test_a_synthesizer_without_sound_and_a_listener_that_fails_do_no_harm() -> None:
    def fail(notice: str) -> None:
        raise ZeroDivisionError(notice)

    speaker = EndlessSpeaker(0)
    async with (
        engine(ScriptedRecogniser("run the tests"), speaker, on_notice=fail) as server,
        connected(server.url) as client,
    ):
        await client.configure()
        await client.say()
        response = await client.response()
    assert "response.output_text.done" in kinds(response)
    assert calls(response)


class FaultySpeaker(ToneSpeaker):
    async def speak(self, text: str, *, voice: str) -> AsyncGenerator[bytes]:
        yield tone(100)
        raise ZeroDivisionError


async def test_a_fault_in_a_response_fails_it_and_the_session_goes_on() -> None:
    async with (
        engine(ScriptedRecogniser("hello", ""), FaultySpeaker()) as server,
        connected(server.url) as client,
    ):
        await client.configure()
        await client.say()
        assert (await client.response())[-1]["response"]["status"] == "failed"
        await client.say()
        assert (await client.response())[-1]["response"]["status"] == "completed"


async def test_a_restored_conversation_knows_its_open_calls() -> None:
    async with engine(ScriptedRecogniser(), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        call = {"type": "function_call", "call_id": "call_old", "name": "agent_status", "arguments": "{}"}
        await client.send("conversation.item.create", item=call)
        await client.until("conversation.item.done")
        earlier = {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
        await client.send("conversation.item.create", item=earlier)
        await client.until("conversation.item.done")
        await client.answer("call_old", "Nothing runs.")
        assert words(await client.ask()) == "Nothing runs."


async def test_an_account_of_the_conversation_so_far_is_never_said_and_a_result_without_a_call_is() -> None:
    async with engine(ScriptedRecogniser(), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.write(
            "This conversation is under way already. A task was handed over before and goes on; no call waits for its"
            " result, which will come in a message marked [BACKEND]. Where it stands: Still working on “it”.",
            role="developer",
        )
        assert words(await client.ask()) == ""
        await client.write("[BACKEND] All 12 tests pass.")
        assert words(await client.ask()) == "All 12 tests pass."
        assert words(await client.ask()) == ""


async def test_a_permission_is_asked_for_aloud_and_the_answer_is_passed_on() -> None:
    async with (
        engine(ScriptedRecogniser("yes please"), ToneSpeaker()) as server,
        connected(server.url) as client,
    ):
        await client.configure(tools=(*TOOLS, "answer_approval"))
        await client.write(
            "[BACKEND] The agent asks for permission to run git push. This is request a1. Ask the user, and pass the"
            " answer on with answer_approval."
        )
        assert words(await client.ask()) == "May I run git push?"
        await client.say()
        answered = await client.response()
        assert calls(answered) == [("answer_approval", {"approval_id": "a1", "decision": "approve"})]
        assert words(answered) == ""


async def test_a_wish_for_fewer_updates_is_passed_on_and_acknowledged() -> None:
    async with (
        engine(ScriptedRecogniser("only tell me the results"), ToneSpeaker()) as server,
        connected(server.url) as client,
    ):
        await client.configure(tools=(*TOOLS, "set_updates"))
        await client.say()
        asked = await client.response()
        assert calls(asked) == [("set_updates", {"level": "results"})]
        call_id = next(event["item"]["call_id"] for event in asked if event.get("item", {}).get("call_id"))
        await client.answer(call_id, "From now on the level of updates is: results.")
        assert words(await client.ask()) == "Okay, only the results."


async def test_a_synthesizer_that_fails_in_the_middle_does_not_lose_the_request() -> None:
    speaker = ToneSpeaker(pieces_before_failure=2)
    async with (
        engine(ScriptedRecogniser("run the tests", "hello"), speaker) as server,
        connected(server.url) as client,
    ):
        await client.configure()
        await client.say()
        response = await client.response()
        assert calls(response)
        assert response[-1]["response"]["output"][0]["status"] == "incomplete"
        await client.say()
        failed = (await client.response())[-1]["response"]
    assert failed["status"] == "failed"
    assert failed["status_details"]["error"]["code"] == "response_failed"


async def test_speech_of_the_user_cancels_the_active_response() -> None:
    speaker = ToneSpeaker(gate=asyncio.Semaphore(3))
    async with engine(ScriptedRecogniser("hello", ""), speaker) as server, connected(server.url) as client:
        await client.configure(audio=waiting_for_interruption(interrupt_response=True))
        await client.say()
        await client.until("response.output_audio.delta")
        await client.hear(tone(300))
        started = await client.until("input_audio_buffer.speech_started")
        assert started["item_id"].startswith("item_")
        begin = len(client.seen)
        done = (await client.until("response.done"))["response"]
        assert kinds(client.seen[begin:]) == [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        assert done["status"] == "cancelled"
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert done["output"][0]["status"] == "incomplete"
        await eventually(lambda: speaker.n_open == 0, "the synthesis ended")
        # Nothing of the cancelled response comes after its end.
        await client.hear(quiet(700))
        assert not spoken(await client.response())


async def test_a_request_survives_that_the_user_speaks_on() -> None:
    speaker = ToneSpeaker(gate=asyncio.Semaphore(1))
    async with (
        engine(ScriptedRecogniser("run the tests", ""), speaker) as server,
        connected(server.url) as client,
    ):
        await client.configure()
        await client.say()
        await client.until("response.output_audio.delta")
        await client.hear(tone(300))
        begin = len(client.seen)
        done = (await client.until("response.done"))["response"]
        assert done["status"] == "cancelled"
        assert calls(client.seen[begin:]) == [("background_agent", {"prompt": "run the tests"})]


async def test_without_interrupt_response_the_turn_waits_for_the_end_of_the_response() -> None:
    speaker = ToneSpeaker(gate=asyncio.Semaphore(1))
    async with (
        engine(ScriptedRecogniser("hello", "thanks"), speaker) as server,
        connected(server.url) as client,
    ):
        await client.configure(audio=waiting_for_interruption(interrupt_response=False))
        await client.say()
        await client.until("response.output_audio.delta")
        await client.say()
        await client.until("conversation.item.input_audio_transcription.completed")
        for _ in range(100):
            assert speaker.gate is not None
            speaker.gate.release()
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        assert words(await client.response())


async def test_create_response_false_leaves_the_answer_to_the_client() -> None:
    async with (
        engine(ScriptedRecogniser("run the tests"), ToneSpeaker()) as server,
        connected(server.url) as client,
    ):
        await client.configure(audio=waiting_for_interruption(create_response=False))
        await client.say()
        await client.until("conversation.item.input_audio_transcription.completed")
        assert "response.created" not in client.kinds()
        assert calls(await client.ask()) == [("background_agent", {"prompt": "run the tests"})]


async def test_a_client_may_end_its_turns_itself() -> None:
    recogniser = ScriptedRecogniser("run the tests", "only the core tests")
    recogniser.may_finish.clear()
    async with engine(recogniser, ToneSpeaker()) as server, connected(server.url) as client:
        updated = await client.configure(audio=MANUAL)
        assert updated["session"]["audio"]["input"]["turn_detection"] is None
        await client.hear(quiet(300), tone(500), quiet(900))
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed")
        # The response is asked for before the words are known, and answers them all the same.
        await client.send("response.create")
        await client.send("response.create", event_id="second")
        error = (await client.until("error"))["error"]
        assert error["code"] == "conversation_already_has_active_response"
        assert error["event_id"] == "second"
        recogniser.may_finish.set()
        response = await client.response()
    assert "input_audio_buffer.speech_started" not in client.kinds()
    assert calls(response) == [("background_agent", {"prompt": "run the tests"})]
    order = client.kinds()
    assert order.index("conversation.item.input_audio_transcription.completed") < order.index("response.created")
    assert f"progress: {response[0]['response']['id']}." in error["message"]
    assert committed["item_id"] in [event["item"]["id"] for event in client.seen if "item" in event]
    assert recogniser.fed_bytes[0] == pytest.approx(1700 * 32, abs=40 * 32)


async def test_an_empty_buffer_cannot_be_committed_and_a_cleared_one_is_empty() -> None:
    recogniser = ScriptedRecogniser("hello")
    async with engine(recogniser, ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure(audio=MANUAL)
        for pieces in ((), (tone(60),)):
            await client.hear(*pieces)
            await client.send("input_audio_buffer.commit")
            assert (await client.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"
        await client.hear(tone(500))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.send("input_audio_buffer.commit")
        assert (await client.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"
        await client.hear(tone(500))
        await client.send("input_audio_buffer.commit")
        await client.until("conversation.item.input_audio_transcription.completed")
    assert recogniser.fed_bytes == [pytest.approx(500 * 32, abs=40 * 32)]


async def test_a_buffer_that_is_never_committed_is_bounded() -> None:
    recogniser = ScriptedRecogniser("hello")
    async with engine(recogniser, ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure(audio=MANUAL)
        second = base64.b64encode(tone(1000)).decode()
        for _ in range(MAX_UTTERANCE_MS // 1000 + 3):
            await client.send("input_audio_buffer.append", audio=second)
        await client.send("input_audio_buffer.commit")
        await client.until("conversation.item.input_audio_transcription.completed")
    errors = [event["error"]["code"] for event in client.seen if event["type"] == "error"]
    assert errors == ["input_audio_buffer_full"]
    assert recogniser.fed_bytes[0] <= (MAX_UTTERANCE_MS + 100) * 32


async def test_a_commit_ends_an_open_turn_without_a_response() -> None:
    async with engine(ScriptedRecogniser("hello"), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.hear(tone(500))
        started = await client.until("input_audio_buffer.speech_started")
        await client.send("input_audio_buffer.commit")
        assert (await client.until("input_audio_buffer.committed"))["item_id"] == started["item_id"]
        await client.until("conversation.item.input_audio_transcription.completed")
        assert "response.created" not in client.kinds()
        await client.send("input_audio_buffer.commit")
        assert (await client.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"


async def test_a_failing_recogniser_fails_the_item_and_the_session_goes_on() -> None:
    recogniser = ScriptedRecogniser(SpeechError("the recogniser died"), "run the tests")
    async with engine(recogniser, ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.say()
        failed = await client.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["message"] == "the recogniser died"
        await client.say()
        assert calls(await client.response())


async def test_transcripts_go_only_to_a_client_that_asked_for_them() -> None:
    async with engine(ScriptedRecogniser("hello"), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure(audio={})
        await client.say()
        await client.response()
    assert not any("transcription" in kind for kind in client.kinds())


async def test_a_transcription_session_writes_down_and_does_not_answer() -> None:
    async with engine(ScriptedRecogniser("hello"), ToneSpeaker()) as server, connected(server.url) as client:
        await client.send(
            "session.update",
            session={"type": "transcription", "audio": {"input": {"transcription": {"model": "any"}}}},
        )
        await client.say()
        done = await client.until("conversation.item.input_audio_transcription.completed")
        assert done["transcript"] == "hello"
        await client.send("response.create")
        assert (await client.until("error"))["error"]["code"] == "invalid_value"
        assert "response.created" not in client.kinds()


async def test_a_second_response_is_refused_while_one_is_active() -> None:
    speaker = ToneSpeaker(gate=asyncio.Semaphore(1))
    async with engine(ScriptedRecogniser(), speaker) as server, connected(server.url) as client:
        await client.configure()
        await client.write("[BACKEND] A longer report of the work.")
        await client.send("response.create")
        created = await client.until("response.created")
        await client.send("response.create", event_id="again")
        error = (await client.until("error"))["error"]
    assert error == {
        "type": "invalid_request_error",
        "code": "conversation_already_has_active_response",
        "message": f"Conversation already has an active response in progress: {created['response']['id']}. "
        "Wait until the response is finished before creating a new one.",
        "param": None,
        "event_id": "again",
    }


async def test_a_response_can_be_cancelled_by_the_client() -> None:
    speaker = ToneSpeaker(gate=asyncio.Semaphore(1))
    async with engine(ScriptedRecogniser("run the tests"), speaker) as server, connected(server.url) as client:
        await client.configure()
        await client.say()
        await client.until("response.output_audio.delta")
        await client.send("response.cancel", response_id="resp_of_somebody_else")
        assert (await client.until("error"))["error"]["code"] == "response_cancel_not_active"
        await client.send("response.cancel")
        done = (await client.until("response.done"))["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert calls(client.seen) == []
        await client.send("response.cancel")
        assert (await client.until("error"))["error"]["code"] == "response_cancel_not_active"
        await eventually(lambda: speaker.n_open == 0, "the synthesis ended")


async def test_a_response_cancelled_before_it_could_begin_still_begins_and_ends() -> None:
    recogniser = ScriptedRecogniser("run the tests")
    recogniser.may_finish.clear()
    async with engine(recogniser, ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure(audio=MANUAL)
        await client.hear(tone(500))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        await client.send("response.cancel")
        response = await client.response()
        assert kinds(response) == ["response.created", "response.done"]
        assert response[-1]["response"]["status"] == "cancelled"
        recogniser.may_finish.set()
        await client.until("conversation.item.input_audio_transcription.completed")
        assert calls(await client.ask())


async def test_truncation_shortens_speech_and_nothing_else() -> None:
    async with engine(ScriptedRecogniser("run the tests"), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.say()
        response = await client.response()
        audio_ms = len(spoken(response)) // 48
        message, call = (item["id"] for item in response[-1]["response"]["output"])
        typed = await client.write("[USER] hello")
        for item_id, end_ms, code in (
            ("item_of_nobody", 100, "item_truncate_invalid_item_id"),
            (call, 100, "invalid_value"),
            (typed, 100, "invalid_value"),
            (message, audio_ms + 1, "invalid_value"),
        ):
            await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=end_ms)
            assert (await client.until("error"))["error"]["code"] == code
        await client.send("conversation.item.truncate", item_id=message, content_index=0, audio_end_ms=120)
        truncated = await client.until("conversation.item.truncated")
        assert (truncated["item_id"], truncated["audio_end_ms"]) == (message, 120)
        await client.send("conversation.item.truncate", item_id=message, content_index=0, audio_end_ms=121)
        assert (await client.until("error"))["error"]["message"] == (
            "Audio content of 120ms is already shorter than 121ms"
        )
        await client.send("conversation.item.retrieve", item_id=message)
        item = (await client.until("conversation.item.retrieved"))["item"]
        assert item["content"] == [{"type": "output_audio", "transcript": ""}]


async def test_a_result_of_which_little_was_heard_is_said_again_when_asked() -> None:
    async with engine(ScriptedRecogniser(), ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        await client.write("[BACKEND] All 12 tests pass.")
        item_id = (await client.ask())[-1]["response"]["output"][0]["id"]
        await client.send("conversation.item.truncate", item_id=item_id, audio_end_ms=100)
        assert words(await client.ask()) == "All 12 tests pass."
        assert words(await client.ask()) == ""


async def test_items_can_be_placed_retrieved_and_deleted() -> None:
    async with engine(ScriptedRecogniser(), ToneSpeaker()) as server, connected(server.url) as client:
        content = [{"type": "input_text", "text": "x"}]
        item = {"id": "mine", "type": "message", "role": "system", "content": content}
        await client.send("conversation.item.create", item=item)
        added = await client.until("conversation.item.added")
        assert added["previous_item_id"] is None
        assert added["item"] == {**item, "object": "realtime.item", "status": "completed"}
        await client.send("conversation.item.create", item=item)
        assert (await client.until("error"))["error"]["param"] == "item.id"
        await client.send("conversation.item.create", item={**item, "id": "two"}, previous_item_id="nobody")
        assert (await client.until("error"))["error"]["code"] == "item_not_found"
        await client.send("conversation.item.create", item={**item, "id": "two"}, previous_item_id="mine")
        assert (await client.until("conversation.item.added"))["previous_item_id"] == "mine"
        await client.send("conversation.item.delete", item_id="mine")
        await client.until("conversation.item.deleted")
        for kind in ("conversation.item.delete", "conversation.item.retrieve"):
            await client.send(kind, item_id="mine")
            assert (await client.until("error"))["error"]["code"] == "item_not_found"


async def test_nothing_that_is_no_event_closes_the_socket() -> None:
    async with engine(ScriptedRecogniser(), ToneSpeaker()) as server, connected(server.url) as client:
        for message in ("", "{", "[]", '{"type":"nonsense"}', '{"type":"input_audio_buffer.append","audio":"!"}'):
            await client.socket.send_str(message)
            error = await client.until("error")
            assert error["error"]["type"] == "invalid_request_error"
        await client.socket.send_bytes(b"\x00\x01")
        assert (await client.until("error"))["error"]["code"] == "invalid_type"
        await client.send("input_audio_buffer.append", audio="A" * MAX_MESSAGE_BYTES)
        assert (await client.until("error"))["error"]["code"] == "message_too_large"
        # Half a sample waits for its other half.
        await client.send("input_audio_buffer.append", audio=base64.b64encode(b"\x01").decode())
        await client.configure()
    codes = [event["error"]["code"] for event in client.seen if event["type"] == "error"]
    assert codes == [
        "invalid_json",
        "invalid_json",
        "invalid_type",
        "invalid_value",
        "invalid_value",
        "invalid_type",
        "message_too_large",
    ]


async def test_a_client_that_goes_in_the_middle_of_a_response_leaves_nothing_behind() -> None:
    recogniser = ScriptedRecogniser("run the tests")
    speaker = ToneSpeaker(gate=asyncio.Semaphore(1))
    async with engine(recogniser, speaker) as server:
        async with connected(server.url) as client:
            await client.configure()
            await client.say()
            await client.until("response.output_audio.delta")
            assert speaker.n_open == 1
        await eventually(lambda: server.n_sessions == 0, "the session ended")
        assert speaker.n_open == 0
        assert recogniser.closed


async def test_speech_is_made_no_faster_than_the_client_takes_it() -> None:
    n_pieces = 20_000
    speaker = EndlessSpeaker(n_pieces)
    async with engine(ScriptedRecogniser(), speaker) as server, connected(server.url) as client:
        await client.write("[BACKEND] A report.")
        await client.send("response.create")
        # What the two kernels' buffers hold is sent ahead; then it stands still.
        made = await standstill(lambda: speaker.n_pieces)
        assert SPEAK_LIMIT < made < n_pieces / 4
        for _ in range(made):
            await client.until("response.output_audio.delta")
        await eventually(lambda: speaker.n_pieces > made, "more speech was made")
        assert await standstill(lambda: speaker.n_pieces) < n_pieces / 2
        await client.send("response.cancel")
        await client.until("response.done")
    assert speaker.n_pieces < n_pieces / 2


async def test_two_sessions_at_once_do_not_hear_each_other() -> None:
    recognisers = [ScriptedRecogniser("run the tests"), ScriptedRecogniser("what changed this week")]
    waiting = list(recognisers)
    async with (
        engine(lambda: waiting.pop(0) if waiting else ScriptedRecogniser(), ToneSpeaker()) as server,
        connected(server.url) as one,
        connected(server.url) as other,
    ):
        assert one.seen[0]["session"]["id"] != other.seen[0]["session"]["id"]
        await one.configure()
        await other.configure()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.say())
            tasks.create_task(other.say())
        assert calls(await one.response()) == [("background_agent", {"prompt": "run the tests"})]
        assert calls(await other.response()) == [("background_agent", {"prompt": "what changed this week"})]


async def test_the_voice_of_the_session_is_used() -> None:
    speaker = ToneSpeaker()
    async with engine(ScriptedRecogniser("hello"), speaker) as server, connected(server.url) as client:
        await client.configure(audio={"output": {"voice": "cedar"}})
        await client.say()
        response = await client.response()
    assert speaker.voices == ["cedar"]
    assert response[0]["response"]["audio"]["output"]["voice"] == "cedar"


async def test_only_offered_tools_are_called() -> None:
    async with (
        engine(ScriptedRecogniser("how is it going", "run the tests"), ToneSpeaker()) as server,
        connected(server.url) as client,
    ):
        await client.configure(tools=("background_agent",))
        await client.say()
        assert calls(await client.response()) == [("background_agent", {"prompt": "how is it going"})]
        await client.configure(tool_choice="none")
        await client.say()
        response = await client.response()
    assert calls(response) == []
    assert words(response)


async def test_any_order_of_events_leaves_a_session_that_answers() -> None:
    # The seed is fixed, so a failure comes again.
    random = Random(20)
    sounds = [base64.b64encode(piece).decode() for piece in (quiet(20), tone(20), tone(300), quiet(700), b"x")]
    utterances: list[str | Heard | SpeechError] = ["run the tests", "", "stop", "hello", SpeechError("it died")]
    recogniser = ScriptedRecogniser(*utterances * 200)
    async with engine(recogniser, ToneSpeaker()) as server, connected(server.url) as client:
        await client.configure()
        for index in range(600):
            match random.randrange(9):
                case 0 | 1 | 2:
                    await client.send("input_audio_buffer.append", audio=random.choice(sounds))
                case 3:
                    await client.send("input_audio_buffer.commit" if index % 2 else "input_audio_buffer.clear")
                case 4:
                    detection = random.choice([None, {"create_response": bool(index % 2)}, {"threshold": 0.9}])
                    audio = {"input": {"turn_detection": detection, "transcription": {}}}
                    await client.send("session.update", session={"audio": audio})
                case 5:
                    await client.send(random.choice(["response.create", "response.cancel"]))
                case 6:
                    ids = [event["item"]["id"] for event in client.seen if "item" in event] or ["none"]
                    kind = random.choice(["truncate", "delete", "retrieve"])
                    await client.send(f"conversation.item.{kind}", item_id=random.choice(ids), audio_end_ms=10)
                case 7:
                    text = random.choice(["[BACKEND] Half.", "[USER] x", "run the tests", ""])
                    content = [{"type": "input_text", "text": text}]
                    item = {"type": "message", "role": "user", "content": content}
                    await client.send("conversation.item.create", item=item)
                case _:
                    output = {"type": "function_call_output", "call_id": "call_x", "output": "Done."}
                    await client.send("conversation.item.create", item=output)
            if index % 20 == 0:
                await client.send("conversation.item.retrieve", item_id=f"probe_{index}")
                await client.until("error", lambda event: f"probe_{index}" in event["error"]["message"])  # noqa: B023
        # In the end everything that was begun has ended, and the session still listens.
        await client.send("response.cancel")
        await client.configure()
        await client.send("input_audio_buffer.clear")
        await client.send("conversation.item.retrieve", item_id="last_probe")
        await client.until("error", lambda event: "last_probe" in event["error"]["message"])
        recogniser.texts[:] = ["what changed this week"]
        await client.say()
        last = await client.until(
            "conversation.item.done", lambda event: "what changed this week" in event["item"].get("arguments", "")
        )
        assert last["item"]["name"] == "background_agent"
        await client.until("response.done")
    created = [event["response"]["id"] for event in client.seen if event["type"] == "response.created"]
    done = [event["response"]["id"] for event in client.seen if event["type"] == "response.done"]
    assert created == done
