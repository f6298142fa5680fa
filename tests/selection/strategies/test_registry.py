import sys
from types import ModuleType

import pytest

from selection.strategies import registry
from selection.strategies.errors import UnknownStrategy
from selection.strategies.random_sampling import pick_random
from selection.strategies.registry import STRATEGIES, Strategy, add_from, strategy_named


@pytest.fixture
def module(monkeypatch):
    """A deployment's module; what it adds is taken away afterwards."""
    made = ModuleType("acme_strategies")
    monkeypatch.setitem(sys.modules, "acme_strategies", made)
    monkeypatch.setattr(registry, "_ADDED", set())
    before = dict(STRATEGIES)
    yield made
    STRATEGIES.clear()
    STRATEGIES.update(before)


def test_it_adds_the_strategies_of_a_deployment_once(module):
    own = Strategy(name="ours", label="Ours", function=pick_random, stochastic=True)
    module.strategies = lambda: [own]
    add_from(["acme_strategies"])
    add_from(["acme_strategies"])
    assert strategy_named("ours") is own


def test_it_does_not_let_a_deployment_take_a_name_that_is_taken(module):
    module.strategies = lambda: [Strategy(name="margin", label="Mine", function=pick_random)]
    with pytest.raises(ValueError, match="has a strategy 'margin', and there is one of that name"):
        add_from(["acme_strategies"])


class NoDataclass:
    pass


@pytest.mark.parametrize(
    ("strategies", "words"),
    [
        (None, r"has no function strategies\(\)"),
        (lambda: ["margin"], "returned 'margin', expected Strategy objects"),
        (
            lambda: [Strategy(name="x", label="X", function=pick_random, settings=NoDataclass)],
            "settings of 'x' in acme_strategies are no dataclass",
        ),
    ],
)
def test_it_says_what_is_wrong_with_a_module(module, strategies, words):
    if strategies:
        module.strategies = strategies
    with pytest.raises(ValueError, match=words):
        add_from(["acme_strategies"])


def test_it_names_the_module_that_is_not_there():
    with pytest.raises(ValueError, match="there is no module 'nobody_has_this'"):
        add_from(["nobody_has_this"])


def test_it_names_the_strategies_there_are():
    with pytest.raises(UnknownStrategy, match="there is no strategy 'nope': use one of random, entropy"):
        strategy_named("nope")
