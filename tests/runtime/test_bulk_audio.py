from __future__ import annotations

from backchannel.runtime import Conversation
from backchannel.testing import Expect, ScriptedServer
from backchannel.wire import pcm
from tests.runtime.stage import settings_for, until

FRAME = pcm.base64_silence("A" * 1280)


async def test_who_waits_for_room_loses_nothing_of_what_is_sent_in_bulk() -> None:
    async with ScriptedServer([Expect("session.update")]) as server:
        conversation = Conversation(settings_for(server.url))
        await conversation.start()
        taken = 0
        for number in range(3000):
            taken += conversation.append_audio(FRAME)
            if number % 50 == 0:
                await conversation.room_for_audio()
        await conversation.room_for_audio()
        connection = await server.wait_for_connection()
        await until(lambda: len(connection.received) == 3001, "every frame")
        await conversation.stop()
    assert taken == 3000


async def test_nobody_waits_where_nothing_is_open() -> None:
    async with ScriptedServer([Expect("session.update")]) as server:
        conversation = Conversation(settings_for(server.url))
        await conversation.room_for_audio()
        await conversation.start()
        await conversation.stop()
        await conversation.room_for_audio()
