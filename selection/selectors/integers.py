"""Queries whose answer is whole numbers, a million of them, as one array."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection
from django.db.models import QuerySet

_FETCH = 50_000  # rows of a query held as Python objects at a time


def read(found: QuerySet[Any, Any], width: int) -> npt.NDArray[np.int64]:
    """(n, width) of a query by `values_list` of so many whole numbers, without an object a row."""
    sql, params = found.query.sql_with_params()
    parts = [np.empty((0, width), dtype=np.int64)]
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, params)
        while block := cursor.fetchmany(_FETCH):
            flat = np.fromiter(chain.from_iterable(block), np.int64, len(block) * width)
            parts.append(flat.reshape(-1, width))
    return np.concatenate(parts)
