from __future__ import annotations

import os
import time

import pytest

from jobs.services import static


@pytest.mark.slow
def test_it_collects_once_and_again_after_a_change(tmp_path, settings, monkeypatch):
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "own.css").write_text("a {}")
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATICFILES_DIRS = [extra]
    assert static.collect()
    assert (tmp_path / "collected" / "own.css").read_text() == "a {}"
    assert not static.collect()
    (extra / "own.css").write_text("a { color: red }")
    later = time.time() + 10  # collectstatic compares whole seconds
    os.utime(extra / "own.css", (later, later))
    assert static.collect()
    assert (tmp_path / "collected" / "own.css").read_text() == "a { color: red }"
