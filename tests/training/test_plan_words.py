from __future__ import annotations

from django.utils import translation

from training import plan_words


def test_every_reason_has_words_and_they_are_those_of_the_core() -> None:
    from training.distributed.reasons import TEXTS

    with translation.override("en"):
        assert {code: str(text) for code, text in plan_words.REASONS.items()} == TEXTS


def test_a_reason_is_told_in_the_readers_language() -> None:
    reason = {"code": "traffic", "values": {"sent": "2 GB"}, "text": "A rank sends 2 GB a step."}
    with translation.override("en"):
        assert plan_words.in_words(reason) == "A rank sends 2 GB a step."
    with translation.override("zh-hans"):
        assert plan_words.in_words(reason) == "每个进程每步发送 2 GB。"
    assert plan_words.in_words({"code": "new", "values": {}, "text": "As a newer release says."}) == (
        "As a newer release says."
    )
