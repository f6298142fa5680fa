"""Every strategy, setting, choice and part of a score has words, in English and in Chinese."""

from __future__ import annotations

import pytest
from django.utils import translation

from annotation import score_words
from selection import setting_words, strategy_words
from selection.strategies.pool import PARTS
from selection.strategies.registry import STRATEGIES
from training import learners, settings_schema
from training import setting_words as of_learners

OWNERS = {**STRATEGIES, **learners.LEARNERS}
SETTINGS = [
    (owner, setting) for owner in OWNERS for setting in settings_schema.describe(OWNERS[owner].settings)
]


def in_both(words: object) -> tuple[str, str]:
    with translation.override("en"):
        english = str(words)
    with translation.override("zh-hans"):
        return english, str(words)


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_every_strategy_has_a_name_and_a_sentence(name: str) -> None:
    label, sentence = (in_both(words) for words in strategy_words.WORDS[name])
    assert label[0] == STRATEGIES[name].label, "the registry says the same in English"
    assert label[1] != label[0]
    assert sentence[0].endswith(".") and sentence[1] != sentence[0]


def test_no_strategy_has_words_that_is_not_there() -> None:
    assert set(strategy_words.WORDS) == set(STRATEGIES)


@pytest.mark.parametrize(("owner", "setting"), SETTINGS)
def test_every_setting_and_choice_has_words(owner: str, setting: settings_schema.Setting) -> None:
    known = setting_words.WORDS | of_learners.WORDS
    assert f"{owner}.{setting.name}" in known or setting.name in known
    for words in setting_words.words_of(owner, setting.name):
        english, chinese = in_both(words)
        assert not english or chinese != english
    for choice in setting.choices:
        english, chinese = in_both(setting_words.choice_name(setting.name, choice))
        assert english != choice and chinese != english


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_score_has_words(part: str) -> None:
    english, chinese = in_both(score_words.WORDS[part])
    assert english and chinese != english


def test_what_a_deployment_adds_shows_its_own_words() -> None:
    assert strategy_words.name_of("gone_since") == "gone_since"
    assert strategy_words.help_of("gone_since") == strategy_words.picture_of("gone_since") == ""
    assert score_words.name_of("novelty") == "novelty"
    assert setting_words.words_of("own", "least_seen") == ("Least seen", "")
    assert setting_words.choice_name("least_seen", "often") == "often"
