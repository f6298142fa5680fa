from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from config import static

SOURCE = Path(settings.BASE_DIR) / "static"


@pytest.mark.parametrize("name", static.BUNDLES)
def test_it_joins_all_parts_of_a_bundle(name: str) -> None:
    text = static.joined(name, SOURCE)
    assert len(text) >= sum(len((SOURCE / part).read_text("utf-8")) for part in static.BUNDLES[name]) * 0.9


@pytest.mark.parametrize("name", [name for name in static.BUNDLES if name.endswith(".js")])
def test_a_script_bundle_has_no_import_left_and_declares_no_name_twice(name: str) -> None:
    text = static.joined(name, SOURCE)
    assert not re.search(r"^(import|export)\b", text, re.MULTILINE)
    names = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", text, re.MULTILINE)
    assert len(names) == len(set(names)), sorted(one for one in set(names) if names.count(one) > 1)


def test_every_own_script_and_style_is_in_a_bundle() -> None:
    parts = {part for bundle in static.BUNDLES.values() for part in bundle}
    files = [file for folder in ("js", "css") for file in (SOURCE / folder).rglob("*") if file.is_file()]
    own = {file.relative_to(SOURCE).as_posix() for file in files}
    assert own == parts


def test_scripts_are_short() -> None:
    for file in (SOURCE / "js").rglob("*.js"):
        assert len(file.read_text("utf-8").splitlines()) <= 120, file.name


def test_the_finder_makes_a_bundle_and_renews_it() -> None:
    finder = static.BundleFinder()
    made = Path(str(finder.find("bundles/app.css")))
    assert made.read_text("utf-8") == static.joined("bundles/app.css", SOURCE)
    made.write_text("old")
    import os

    os.utime(made, (0, 0))
    assert Path(str(finder.find("bundles/app.css"))).read_text("utf-8").startswith("/* Colours")
    assert finder.find("bundles/absent.css") == []
    assert finders.find("bundles/label.js")


def test_the_icon_that_browsers_ask_for_is_there(client) -> None:
    response = client.get("/favicon.ico")
    assert response.status_code == 302
    assert response["Location"].endswith("gyre.svg")
