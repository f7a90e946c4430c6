"""What people say when they are asked for permission, and what it has to be taken for.

Written by hand for the tests, in the kinds in which people answer; each stands here as a recogniser would write it.
"""

# ruff: noqa: RUF001 - as people and recognisers write
from __future__ import annotations

from typing import Final

from backchannel.core.consent import Consent

__all__ = ["UTTERANCES"]

_YES: Final = (
    "Yes.", "yes", "YES!", "Yeah.", "Yep.", "Yup, go ahead.", "Yes, please.", "Yes please, go ahead.", "Go ahead.",
    "Please go ahead.", "Yes, go ahead.", "Okay, go ahead.", "Sure, go ahead.", "Do it.", "Yes, do it.", "Run it.",
    "Please run it.", "Yes, run it, thanks.", "Approve.", "Approved.", "I approve.", "Approve it, please.",
    "You may.", "Yes, you may.", "Please do.", "Allow it.", "Yes, allow that.", "Confirm.", "Confirmed.", "Absolutely.",
    "Of course.", "Yes, of course.", "Yes, sure.", "Sure, yes.", "Okay, yes.", "Alright, do it.", "Yes, that's fine.",
    "Yes, thank you.", "Thanks, yes.", "Yes, yes.", "Permission granted.", "You have my permission.", "By all means.",
    "Definitely.", "Yes, you can go ahead.",
    "Let’s do it.", "Yes – go ahead.", "  yes ,\tgo   ahead\n", "I agree, go ahead.", "Proceed.",
)  # fmt: skip

_NO: Final = (
    "No.", "no", "NO!", "Nope.", "Nah.", "No, thanks.", "No thank you.", "Don't.", "Don’t do it.", "Do not.",
    "Do not run it.", "Stop.", "Stop it, please.", "Cancel.", "Cancel that.", "Never mind.", "Not now.", "Not yet.",
    "Decline.", "Declined.", "Deny.", "Reject it.", "Reject.", "Wait.", "Hold on.", "Please don't.",
    "No, don't do that.",
    "Absolutely not.", "Of course not.", "No way.", "I don't think so.", "You may not.", "Um, no.", "Okay, stop.",
    "No, not right now.", "No, leave the branch as it is.", "I don't want you to do it.", "Actually, no.",
    "Better not run it.", "No...",
)  # fmt: skip

_HESITATION: Final = (
    "Um.", "Uh, yes.", "Yes, um.", "Hmm.", "Well, yes.", "I guess.", "Yes, I guess so.", "Maybe.", "Perhaps, yes.",
    "I think so.", "Probably.", "Yes...", "Yes…", "Yes, go —", "Let me think.", "I'm not sure.", "Not sure, yes.",
    "Yes, probably.", "Mm-hmm.", "Uh-huh.",
)  # fmt: skip

_LISTENING: Final = (
    "Okay.", "Ok", "Right.", "Sure.", "Fine.", "Alright.", "All right, thanks.", "Got it.", "I see.", "Sounds good.",
    "Thank you.", "Please.",
)  # fmt: skip

_CORRECTION: Final = (
    "Yes. No.", "Yes, no, wait.", "No, yes.", "No wait, yes.", "Yes, I mean no.", "Go ahead. Actually, don't.",
    "Do it, no, stop.", "No, I mean, go ahead.", "Yes to the other one.", "Yes, wait.", "No, that's fine.",
    "Never mind, go ahead.",
)  # fmt: skip

_QUOTATION: Final = (
    "He said yes.", "“Yes”", '"Go ahead."', "She told me to say yes.", "I said yes yesterday.", "Don't say yes.",
    "The button says approve.", "When I say go ahead, do it.",
)  # fmt: skip

_OTHER_LANGUAGE: Final = (
    "Ja.", "Oui.", "Sí.", "Si", "Sim.", "Да", "はい", "好的", "yes, да", "Ja, bitte.",
)  # fmt: skip

_IRONY: Final = (
    "Yeah, right.", "Oh sure, go ahead.", "Yeah yeah.", "Yes, brilliant idea.", "Sure, why not.", "As if.",
)  # fmt: skip

_NOISE: Final = (
    "", " ", "...", "[noise]", "(laughs) yes", "yes 🙂", "1 2 3", "Thanks for watching!", "уes",
)  # fmt: skip

_CONDITION: Final = (
    "Yes, if the tests pass.", "Yes, but not on main.", "Only if you keep a copy.", "Go ahead unless it fails.",
    "Yes, after lunch.", "Yes, once it's green.", "Do it tomorrow.", "Yes, as long as it is safe.",
    "You may, provided nobody objects.", "Yes, when I tell you.",
)  # fmt: skip

_FURTHER: Final = (
    "Yes, and push it too.", "Yes, run the linter first.", "Go ahead and delete the branch.", "Yes to all.",
    "Do it again.", "Approve all.", "Run it on staging.", "Yes, always.", "Please confirm.", "Confirm that it's fine.",
)  # fmt: skip

_QUESTION: Final = (
    "Yes?", "Okay?", "No?", "What would it do?", "Go ahead?", "¿Sí?", "Yes, why？",
)  # fmt: skip

_TO_OTHERS: Final = (
    "Yes, honey, I'm coming.", "Hello, yes, this is Anna.", "No problem.", "Yes, two coffees please.",
    "Can you close the door", "Don't worry, go ahead, I'll be there.",
)  # fmt: skip

UTTERANCES: Final[tuple[tuple[str, str, Consent], ...]] = (
    *(("yes", text, Consent.YES) for text in _YES),
    *(("no", text, Consent.NO) for text in _NO),
    *(
        (kind, text, Consent.UNCLEAR)
        for kind, texts in (
            ("hesitation", _HESITATION),
            ("listening", _LISTENING),
            ("correction", _CORRECTION),
            ("quotation", _QUOTATION),
            ("other language", _OTHER_LANGUAGE),
            ("irony", _IRONY),
            ("noise", _NOISE),
            ("condition", _CONDITION),
            ("further instruction", _FURTHER),
            ("question", _QUESTION),
            ("to others", _TO_OTHERS),
        )
        for text in texts
    ),
)
"""The kind of utterance, the utterance, and what it is."""
