"""What tests of training share. Small data sets and models are in tests/training_kit.py and language_kit.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.forked import Ranks


@pytest.fixture(scope="session")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ranks]:
    """Whoever uses it takes a mark `xdist_group`, so that few are started."""
    found = Ranks(tmp_path_factory.mktemp("ranks"))
    yield found
    found.close()
