"""Rows of the top floor, one noun a file."""

from .index import PoolIndex
from .pool import Column, ColumnBuild
from .refresh import Refresh, RefreshPolicy
from .round import Round, RoundStation, Station

__all__ = [
    "Column",
    "ColumnBuild",
    "PoolIndex",
    "Refresh",
    "RefreshPolicy",
    "Round",
    "RoundStation",
    "Station",
]
