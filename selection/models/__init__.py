"""Rows of the top floor, one noun a file."""

from .pool import Column
from .round import Round, RoundStation, Station

__all__ = ["Column", "Round", "RoundStation", "Station"]
