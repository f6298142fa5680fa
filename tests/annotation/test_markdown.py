from __future__ import annotations

import pytest

from annotation.markdown import render


def test_it_renders_headings_lists_and_tables() -> None:
    html = render("# Rule\n\n- one\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    assert "<h1>Rule</h1>" in html
    assert "<li>one</li>" in html
    assert "<td>1</td>" in html


@pytest.mark.parametrize(
    "text",
    ["<script>x</script>", "<img src=x onerror=y>", "[a](javascript:x)", "[a](data:text/html,x)", "<b>x</b>"],
)
def test_it_lets_no_markup_or_script_through(text: str) -> None:
    html = render(text)
    for tag in ("<script", "<img", "<a ", "<b>"):
        assert tag not in html


def test_aligned_columns_bring_no_inline_style() -> None:
    html = render("| a | b |\n|---|:-:|\n| 1 | 2 |\n")
    assert "style" not in html
    assert "<td>2</td>" in html
