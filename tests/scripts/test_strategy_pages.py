"""The pages of the strategies say what the code says, and what they show runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from scripts import strategy_pages
from selection.round_spec import RoundSpec
from selection.services import picking
from selection.strategies.pool import Pool
from selection.strategies.registry import STRATEGIES, Strategy, strategy_named


def test_the_committed_pages_are_what_the_command_writes() -> None:
    committed = {path.name: path.read_text("utf-8") for path in strategy_pages.FOLDER.iterdir()}
    written = strategy_pages.files()
    stale = [name for name in committed.keys() | written.keys() if committed.get(name) != written.get(name)]
    assert stale == [], "run python -m scripts.strategy_pages; a page without a strategy is to be deleted"


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_the_example_picks_twenty_items(name: str) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(60, 5))
    given = {
        "vectors": (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        "probs": rng.dirichlet(np.ones(3), 60),
        "earlier": rng.dirichlet(np.ones(3), (60, 2)),
        "losses": rng.random(60),
    }
    exec(strategy_pages.example(STRATEGIES[name]), given)
    assert len(given["batch"].indices) == 20


def test_it_says_what_a_round_goes_by_where_something_is_lacking() -> None:
    said = {name: strategy_pages.fallback(strategy_named(name)) for name in ("k_center", "mmr", "hardness")}
    assert said["k_center"] == ""
    assert said["mmr"] == "[`cold_start`](cold_start.md) before there is a model"
    assert said["hardness"] == (
        "[`cold_start`](cold_start.md) before there are labels; "
        "[`default`](default.md) where the labels are not categories"
    )
    assert "[`margin`](margin.md)" in strategy_pages.fallback(strategy_named("version_disagreement"))


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_what_it_says_of_the_cold_start_is_what_a_round_does(name: str) -> None:
    spec = RoundSpec(strategy=name, learner="probe")
    planned = picking.plan_for(None, has_labels=False, spec=spec).strategy
    assert planned == ("cold_start" if "cold_start.md" in strategy_pages.fallback(STRATEGIES[name]) else name)


def test_it_links_the_figures_of_a_strategy_and_no_others(monkeypatch, tmp_path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("## One, two\n| mmr | 1 |\n| mmr | 2 |\n## Three\n| margin_clipped, mmr | 3 |\n")
    monkeypatch.setattr(strategy_pages, "RESULTS", results)
    assert list(strategy_pages.measured("mmr")) == ["[One, two](../../../bench/RESULTS.md#one-two)"]
    assert list(strategy_pages.measured("margin")) == []


def described(pool: Pool) -> None:
    """Picks: see `coverage.pick_graph_cut` (see docs).

    Parts: score.
    """


def test_it_turns_a_docstring_into_markdown_and_quotes_what_it_says_to_see() -> None:
    lines = strategy_pages.prose(described).splitlines()
    assert lines[0].endswith("([why](../../explanation/strategies.md)).")
    assert lines[2] == "**Parts of the score**: score."
    assert lines[4].startswith("> `coverage.pick_graph_cut`: Items like many others")
    assert lines[5] == ">"


@dataclass(frozen=True, kw_only=True)
class Settings:
    quota: str = "equal"


def test_it_shows_the_settings_with_the_words_of_the_form() -> None:
    strategy: Strategy = replace(strategy_named("kmeans"), settings=Settings)
    assert strategy_pages.settings_table(strategy).splitlines()[2] == (
        "| `quota` | `equal` | *Picks a cluster.* The same for each, or by its size. |"
    )
    assert strategy_pages.settings_table(strategy_named("random")) == "None."
    choices = strategy_pages.settings_table(strategy_named("kmeans")).splitlines()[3]
    assert choices.endswith("`equal`: the same for each; `size`: by its size |")
