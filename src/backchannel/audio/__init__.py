"""Sound on this side of the wire: files, and a sound card where there is none."""

from backchannel.audio.card import VirtualSoundCard
from backchannel.audio.tape import Tape
from backchannel.audio.wav import read_wav, without_trailing_silence

__all__ = ["Tape", "VirtualSoundCard", "read_wav", "without_trailing_silence"]
