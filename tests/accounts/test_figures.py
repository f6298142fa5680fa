"""Figures in words."""

from __future__ import annotations

import pytest
from django.template import Context, Template
from django.utils import translation

from accounts.figures import percent


@pytest.mark.parametrize(
    ("share", "digits", "said"),
    [
        (0.713, 0, "71 %"),
        (0.713, 1, "71.3 %"),
        (2 / 3, 1, "66.7 %"),
        (0.996, 0, "100 %"),
        (0.0, 0, "0 %"),
        (1.0, 0, "100 %"),
        (None, 0, "–"),
    ],
)
def test_a_share_is_said_in_percent(share, digits, said):
    assert percent(share, digits) == said


def test_templates_say_the_same_in_the_language_of_the_person():
    template = Template("{% load gyre %}{{ share|percent:1 }}")
    with translation.override("de"):
        assert template.render(Context({"share": 0.713})) == percent(0.713, 1) == "71,3 %"
