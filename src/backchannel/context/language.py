"""Which language to greet the user in, as far as the system's settings tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["user_language"]

_NAMES: Final = {
    "af": "Afrikaans",
    "am": "Amharic",
    "ar": "Arabic",
    "az": "Azerbaijani",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "ga": "Irish",
    "gl": "Galician",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "ms": "Malay",
    "my": "Burmese",
    "nb": "Norwegian",
    "ne": "Nepali",
    "nl": "Dutch",
    "nn": "Norwegian",
    "no": "Norwegian",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
_REGIONS: Final = {"pt_BR": "Brazilian Portuguese", "zh_TW": "Traditional Chinese", "zh_HK": "Traditional Chinese"}
_NO_LANGUAGE: Final = ("C", "POSIX")


def user_language(env: Mapping[str, str]) -> str | None:
    """The language in which the user has their system, by its English name; None where the environment does not tell.

    It goes by the variables for messages: `LC_ALL`, `LC_MESSAGES` and `LANG`, the first of them that is set, and, where
    that names a language at all, `LANGUAGE` before it.
    """
    named = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := env.get(name, ""))), "")
    locale = _locale(named)
    if locale in ("", *_NO_LANGUAGE):
        return None
    for choice in (*env.get("LANGUAGE", "").split(":"), named):
        locale = _locale(choice)
        language = _REGIONS.get(locale) or _NAMES.get(locale.partition("_")[0].lower())
        if language is not None:
            return language
    return None


def _locale(value: str) -> str:
    """Without the encoding and the variant: `de_DE` of `de_DE.UTF-8@euro`."""
    return value.strip().partition(".")[0].partition("@")[0]
