from __future__ import annotations

import pytest

from backchannel.context import user_language


@pytest.mark.parametrize(
    ("env", "language"),
    [
        ({}, None),
        ({"LANG": ""}, None),
        ({"LANG": "C"}, None),
        ({"LANG": "C.UTF-8"}, None),
        ({"LANG": "POSIX"}, None),
        ({"LANG": "en_US.UTF-8"}, "English"),
        ({"LANG": "de_DE.UTF-8@euro"}, "German"),
        ({"LANG": "de"}, "German"),
        ({"LANG": "pt_BR.UTF-8"}, "Brazilian Portuguese"),
        ({"LANG": "pt_PT.UTF-8"}, "Portuguese"),
        ({"LANG": "zh_TW"}, "Traditional Chinese"),
        ({"LANG": "tlh_KX"}, None),
        ({"LANG": "en_US", "LC_MESSAGES": "fr_FR.UTF-8"}, "French"),
        ({"LANG": "en_US", "LC_MESSAGES": "fr_FR", "LC_ALL": "sv_SE"}, "Swedish"),
        ({"LANG": "en_US", "LC_ALL": ""}, "English"),
        ({"LANG": "fr_FR", "LC_ALL": "C"}, None),
        ({"LANG": "en_US", "LANGUAGE": "da:en"}, "Danish"),
        ({"LANG": "en_US", "LANGUAGE": "xx::nl"}, "Dutch"),
        ({"LANG": "en_US", "LANGUAGE": "xx"}, "English"),
        ({"LANG": "C", "LANGUAGE": "da"}, None),
        ({"LANG": "\udce9"}, None),
    ],
)
def test_the_language_is_that_of_the_system(env: dict[str, str], language: str | None) -> None:
    assert user_language(env) == language
