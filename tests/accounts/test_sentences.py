from __future__ import annotations

import ast
import copy
import json
import pickle
from pathlib import Path

from django.conf import settings
from django.utils import translation

from accounts.errors import GyreError
from accounts.sentences import Sentence, SentenceError
from accounts.wording import said

REASON = Sentence("field %(field)s is missing: answer every field of %(known)s", field="'tone'", known="tone")
WHOLE = Sentence("line %(line)s %(reason)s", line=12, reason=REASON)
IN_CHINESE = "第 12 行：缺少字段 'tone'：请回答 tone 的每一项"

# What makes a sentence, and which of its arguments is the template.
MAKERS = {
    **dict.fromkeys(["Sentence", "InvalidDefinition", "InvalidValue", "InvalidContent", "BadAnswer"], 0),
    **dict.fromkeys(["BadContent", "BadPattern", "Cut", "SentenceError"], 0),
    **dict.fromkeys(["IntakeError", "_Refused"], 1),
}


def test_it_is_english_text_and_fills_sentences_and_errors_in() -> None:
    assert WHOLE == "line 12 field 'tone' is missing: answer every field of tone"
    assert Sentence("%(why)s!", why=SentenceError("100 % sure")) == "100 % sure!"
    assert Sentence("%(why)s!", why=ValueError("odd")).parameters == {"why": "odd"}
    assert str(SentenceError(REASON)) == REASON and SentenceError(REASON).sentence is REASON


def test_it_outlives_json_pickling_and_copies() -> None:
    stored = json.loads(json.dumps(WHOLE.to_json()))
    for again in (Sentence.from_json(stored), pickle.loads(pickle.dumps(WHOLE)), copy.deepcopy(WHOLE)):
        assert (again, again.template, again.parameters) == (WHOLE, WHOLE.template, WHOLE.parameters)
    assert said(Sentence.from_json(stored)) == WHOLE


def test_it_is_said_in_the_language_of_the_moment() -> None:
    error = GyreError(WHOLE)
    assert (said(WHOLE), str(error)) == (WHOLE, WHOLE)
    with translation.override("zh-hans"):
        assert [said(WHOLE), said(SentenceError(WHOLE)), str(error)] == [IN_CHINESE] * 3
        assert (said("as it is: 5 %"), said(Sentence("")), said(None)) == ("as it is: 5 %", "", "None")


def test_the_core_marks_every_template_for_the_catalogue() -> None:
    """What is marked is in the Chinese catalogue: tests/config/test_translations.py."""
    unmarked = []
    for package in ("task_types", "intake", "quality"):
        for path in sorted((Path(settings.BASE_DIR) / "annotation" / package).glob("*.py")):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MAKERS:
                    template = call.args[MAKERS[call.func.id]]
                    if isinstance(template, ast.JoinedStr | ast.Constant | ast.BinOp):
                        unmarked.append(f"{path.name}:{call.lineno}")
    assert unmarked == []
