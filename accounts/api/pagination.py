"""Pages of the API: by cursor, because counting or skipping a million rows is linear."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class Pages(CursorPagination):
    """Newest first. `?page_size=` up to 500; follow `next` until it is null."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
