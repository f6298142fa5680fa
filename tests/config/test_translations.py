"""The Chinese catalogue: complete, compiled without a complaint, and up to date with the templates."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
CATALOGUE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
CALLS = {
    **dict.fromkeys(["_", "gettext", "gettext_lazy", "gettext_noop"]),
    **dict.fromkeys(["ngettext", "ngettext_lazy"], (1, 2)),
    **dict.fromkeys(["pgettext", "pgettext_lazy"], ((1, "c"), 2)),
}


@pytest.fixture(scope="module")
def catalogue():
    with CATALOGUE.open("rb") as file:
        return read_po(file, abort_invalid=True)


def test_every_message_is_translated(catalogue) -> None:
    missing = [one.id for one in catalogue if one.id and (not one.string or not any(one.string))]
    assert missing == []
    assert [one.id for one in catalogue if one.id and one.fuzzy] == []


def test_placeholders_are_kept(catalogue) -> None:
    broken = [one.id for one in catalogue if one.id and list(one.check(catalogue))]
    assert broken == []
    write_mo(io.BytesIO(), catalogue)


def test_no_translation_has_english_full_stops(catalogue) -> None:
    def text(one) -> str:
        return one.string if isinstance(one.string, str) else one.string[0]

    assert [text(one) for one in catalogue if one.id and re.search(r"[一-鿿][.,;!?]( |$)", text(one))] == []


def test_the_strings_of_templates_are_in_it(catalogue) -> None:
    """`manage.py makemessages -l zh_Hans` adds what is missing."""
    known = {one.id if isinstance(one.id, str) else one.id[0] for one in catalogue}
    used = set()
    for template in (ROOT / "templates").rglob("*.html"):
        used |= set(re.findall(r"""{% translate (?:"([^"]+)"|'[^']+')""", template.read_text("utf-8")))
    assert sorted(one for one in used - known if one) == []


def test_the_strings_of_the_code_are_in_it(catalogue) -> None:
    known = {one.id if isinstance(one.id, str) else one.id[0] for one in catalogue}
    used = set()
    for app in ("accounts", "annotation", "config", "jobs", "selection", "training"):
        for found in extract_from_dir(ROOT / app, [("**.py", "python")], keywords=CALLS):
            message = found[2]
            used.add(message if isinstance(message, str) else message[0])
    assert sorted(one for one in used - known if one) == []
