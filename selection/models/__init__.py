"""Rows of the top floor, one noun a file."""

from .embedding import EmbeddingChoice
from .index import PoolIndex
from .pool import Column, ColumnBuild
from .refresh import Refresh, RefreshPolicy
from .round import Round, RoundStation, Station

__all__ = [
    "Column",
    "ColumnBuild",
    "EmbeddingChoice",
    "PoolIndex",
    "Refresh",
    "RefreshPolicy",
    "Round",
    "RoundStation",
    "Station",
]
