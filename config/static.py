"""Bundles: a page loads one script and one style file, not a dozen.

The parts stay small ES modules and style files of one idea each (static/js, static/css). A bundle is their
text joined in the order given: relative imports are dropped and `export` is taken off, so all parts share
one module scope and a name may be declared once. A finder makes the files, so `collectstatic`, the test
server and development see the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static

FIELDS = (
    "js/made.js",
    "js/label_search.js",
    "js/label_groups.js",
    "js/label_fields.js",
    "js/fields/choices.js",
    "js/fields/rating.js",
    "js/markdown_emphasis.js",
    "js/markdown_inline.js",
    "js/markdown_table.js",
    "js/markdown_list.js",
    "js/markdown.js",
    "js/differences.js",
    "js/fields/response_cards.js",
    "js/fields/ranking.js",
    "js/fields/ranking_drag.js",
    "js/fields/ranking_bar.js",
    "js/fields/preference.js",
    "js/fields/response_panes.js",
    "js/fields/response.js",
    "js/fields/span_text.js",
    "js/fields/span_marks.js",
    "js/fields/span_parts.js",
    "js/fields/span_paint.js",
    "js/fields/span_places.js",
    "js/fields/span_caret.js",
    "js/fields/span_list.js",
    "js/fields/span_pen.js",
    "js/fields/span_tools.js",
    "js/fields/span_keys.js",
    "js/fields/span_input.js",
    "js/fields/spans.js",
)
BUNDLES: dict[str, tuple[str, ...]] = {
    "bundles/app.css": (
        "css/tokens.css",
        "css/base.css",
        "css/components.css",
        "css/forms.css",
        "css/charts.css",
    ),
    "bundles/app.js": ("js/keys.js", "js/theme.js", "js/poll.js", "js/dialogs.js", "js/forms.js"),
    "bundles/label.css": ("css/label.css", "css/fields.css", "css/responses.css", "css/spans.css"),
    "bundles/label.js": (
        "js/label_api.js",
        "js/label_stored.js",
        "js/label_outbox.js",
        "js/label_clock.js",
        "js/label_break.js",
        "js/label_drafts.js",
        "js/label_reason.js",
        "js/label_undo.js",
        *FIELDS,
        "js/label_view.js",
        "js/label_lease.js",
        "js/label_kept.js",
        "js/label_outside.js",
        "js/label.js",
    ),
    "bundles/grid.js": ("js/grid.js",),
    "bundles/items.css": ("css/items.css",),
    "bundles/items.js": ("js/items.js",),
    "bundles/check.js": (
        "js/label_api.js",
        "js/label_stored.js",
        "js/label_outbox.js",
        "js/label_clock.js",
        "js/made.js",
        "js/label_lease.js",
        "js/check_view.js",
        "js/check.js",
    ),
    "bundles/review.js": (*FIELDS, "js/review.js"),
    "bundles/sample.css": ("css/sample.css",),
    "bundles/schema.css": ("css/schema.css", "css/sample.css"),
    "bundles/schema.js": (*FIELDS, "js/form_preview.js", "js/schema_editor.js"),
    "bundles/preview.js": (*FIELDS, "js/form_preview.js"),
}
_IMPORT = re.compile(r'^import\s[^;]*?from\s+"\.\.?/[^"]+";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export\s+(?=(async\s+)?function|const|let|class)", re.MULTILINE)


def joined(name: str, source: Path) -> str:
    """The text of one bundle, made from the parts below `source`."""
    texts = [(source / part).read_text("utf-8") for part in BUNDLES[name]]
    if name.endswith(".js"):
        texts = [_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts]
    return "\n".join(texts)


def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for /favicon.ico on pages that name no icon, such as the plain admin."""
    return redirect(static("img/gyre.svg"))


class BundleFinder(BaseFinder):
    """Finds `bundles/*`; writes them below DATA_DIR when a part is newer than the bundle."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        self.source = Path(settings.BASE_DIR) / "static"
        self.target = Path(settings.DATA_DIR) / "work" / "static-bundles"
        self.storage = FileSystemStorage(location=self.target)
        super().__init__(*args, **kwargs)

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> str | list[str]:
        if path not in BUNDLES:
            return []
        file = str(self._made(path))
        return [file] if find_all else file

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        for path in BUNDLES:
            self._made(path)
            yield path, self.storage

    def _made(self, path: str) -> Path:
        file = self.target / path
        newest = max((self.source / part).stat().st_mtime_ns for part in BUNDLES[path])
        if not file.exists() or file.stat().st_mtime_ns < newest:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(file.suffix + ".part")
            partial.write_text(joined(path, self.source), "utf-8")
            partial.replace(file)  # whole or not at all: two processes may make it at once
        return file
