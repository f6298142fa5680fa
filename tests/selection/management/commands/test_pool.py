from __future__ import annotations

import io

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from selection.models import PoolIndex
from selection.services import builds
from tests.factories import make_items, make_project
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")
    monkeypatch.setattr(builds, "PART_ROWS", 4)
    made = make_project(slug="bank")
    make_items(
        made, ["card lost", "card gone", "weather today", "a joke", "another joke", "last one"], split="train"
    )
    return made


def run(*arguments: str) -> str:
    out = io.StringIO()
    with programs.in_this_process():
        call_command("pool", *arguments, stdout=out)
    return out.getvalue()


def test_it_says_what_there_is_and_computes_what_is_lacking(project) -> None:
    assert "bank: 6 items, 6 without a vector" in run("bank")
    told = run("bank", "--embed", "--index")
    assert "bank: 6 items, 0 without a vector" in told
    assert "embedding by encoder" in told and "6 items" in told
    assert "index Flat: 6 items, recall@10 1.000" in told and PoolIndex.objects.get().project == project
    assert "tried:" not in told
    tried = [{"factory": "IVF64,Flat", "recall_at_10": 0.9}, {"factory": "Flat", "recall_at_10": 1.0}]
    PoolIndex.objects.update(tried=tried, note="Something was odd.")
    told = run("bank")
    assert "  tried: IVF64,Flat 0.900, Flat 1.000\n  Something was odd." in told


def test_it_lists_what_is_like_a_text(project, monkeypatch: pytest.MonkeyPatch) -> None:
    from selection.index import scan
    from selection.services import pool
    from training.learning import light_encoder

    run("bank", "--embed")
    vector = scan.vector_of(pool.embedding_shards(project), 0)
    monkeypatch.setattr(light_encoder, "encode", lambda text, path, layer: np.asarray(vector))
    lines = run("bank", "--like", "card lost", "--first", "2").splitlines()[-2:]
    assert lines[0].startswith("1.000  row 0  'card lost'") and "row 1" in lines[1]


def test_it_says_why_it_cannot(project) -> None:
    with pytest.raises(CommandError, match="launch a round first"):
        run("bank", "--refresh")
    with pytest.raises(CommandError, match="the embedding column is empty"):
        run("bank", "--index")
    with pytest.raises(CommandError):
        run("no-such-project")
