"""System checks: a setting that would fail late, with a riddle, fails at the start, with a sentence."""

from __future__ import annotations
