from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from config.secrets import secret_key


def test_it_makes_a_key_once_that_only_its_owner_may_read(tmp_path):
    path = tmp_path / "deep" / "secret_key"
    key = secret_key(path)
    assert len(key) >= 64
    assert secret_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret_key"]


def test_it_agrees_when_many_start_together(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(tmp_path / "secret_key"), range(32)))
    assert len(keys) == 1
