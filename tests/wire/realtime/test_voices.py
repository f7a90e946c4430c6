from __future__ import annotations

from backchannel.wire.realtime import voices


def test_no_voice_is_listed_twice() -> None:
    for listed in (voices.V1_VOICES, voices.V2_VOICES, voices.V3_VOICES, voices.LIVE_VOICES):
        assert len(set(listed)) == len(listed)


def test_v3_has_the_voices_of_v1_and_sixteen_more() -> None:
    assert voices.V3_VOICES[:9] == voices.V1_VOICES
    assert len(voices.V3_VOICES) == 25


def test_the_default_comes_first_and_the_others_keep_their_order() -> None:
    assert voices.default_first(("a", "b", "c"), "b") == ("b", "a", "c")
