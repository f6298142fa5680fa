"""The list of strategies: forms, API choices, the command line and the docs are made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib import import_module
from typing import Any, Literal

from selection.strategies import (
    badge,
    blend,
    coldstart,
    coverage,
    determinantal,
    diversity,
    hardness,
    herding,
    k_center,
    mmr,
    random_sampling,
    typiclust,
    uncertainty,
    version_disagreement,
)
from selection.strategies.errors import UnknownStrategy
from selection.strategies.hardness import flip, loss_ranking
from selection.strategies.pool import Picks

Function = Callable[..., Picks]  # (pool, count, *, settings, rng)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One way to choose a batch.

    Attributes:
        name: its key. label: what people read.
        function: `(pool, count, *, settings, rng) -> Picks`.
        settings: frozen dataclass of its choices, each with a default.
        needs: pool columns it cannot do without: "probs", "versions", "embeddings", "hardness".
        any_model: of probabilities it asks only how unsure the model is, which models of every type of label
        say. stochastic: the picks depend on the seed.
        chance: what is known of the probability of a pick. "inclusion": that the design picks the item, kept
            with each pick that has one; "draw": that of the draw given the draws before it, the part `chance`;
            "none": there is none, as for every deterministic choice and for the start of k-means.
        source: who described it, or empty.
    """

    name: str
    label: str
    function: Function
    settings: type[Any] = uncertainty.NoSettings
    needs: frozenset[str] = frozenset()
    any_model: bool = False
    stochastic: bool = False
    chance: Literal["none", "inclusion", "draw"] = "none"
    source: str = ""


_PROBS = frozenset({"probs"})
_EMBEDDINGS = frozenset({"embeddings"})
_BOTH = _PROBS | _EMBEDDINGS

_ALL = (
    Strategy(
        name="random",
        label="Random: a uniform draw",
        function=random_sampling.pick_random,
        stochastic=True,
        chance="inclusion",
    ),
    Strategy(
        name="entropy",
        label="Entropy: the whole distribution is flat",
        function=uncertainty.pick_entropy,
        needs=_PROBS,
        any_model=True,
        source="Settles 2009",
    ),
    Strategy(
        name="least_confidence",
        label="Least confidence: the likeliest label is unlikely",
        function=uncertainty.pick_least_confidence,
        needs=_PROBS,
        any_model=True,
        source="Lewis & Gale 1994",
    ),
    Strategy(
        name="margin",
        label="Margin: the two likeliest labels are close",
        function=uncertainty.pick_margin,
        needs=_PROBS,
        any_model=True,
        source="Scheffer, Decomain & Wrobel 2001",
    ),
    Strategy(
        name="ratio",
        label="Ratio: the second likeliest label is nearly as likely",
        function=uncertainty.pick_ratio,
        needs=_PROBS,
        any_model=True,
        source="Settles 2009",
    ),
    Strategy(
        name="margin_clipped",
        label="Margin, passing over the few most uncertain items",
        function=uncertainty.pick_margin_clipped,
        settings=uncertainty.ClippedSettings,
        needs=_PROBS,
        any_model=True,
        source="Scheffer, Decomain & Wrobel 2001",
    ),
    Strategy(
        name="version_disagreement",
        label="Disagreement of versions: the model and earlier versions of it differ",
        function=version_disagreement.pick_version_disagreement,
        settings=version_disagreement.VersionSettings,
        needs=_PROBS | {"versions"},
        source="McCallum & Nigam 1998",
    ),
    Strategy(
        name="mmr",
        label="MMR: uncertain, and unlike what is picked already",
        function=mmr.pick_mmr,
        settings=mmr.MmrSettings,
        needs=_BOTH,
        any_model=True,
        source="Carbonell & Goldstein 1998",
    ),
    Strategy(
        name="k_center",
        label="K-center: the item farthest from all that is labelled or picked",
        function=k_center.pick_k_center,
        needs=_EMBEDDINGS,
        source="Gonzalez 1985; Sener & Savarese 2018",
    ),
    Strategy(
        name="facility_location",
        label="Facility location: every item has a picked or labelled one like it",
        function=coverage.pick_facility_location,
        settings=coverage.GraphSettings,
        needs=_EMBEDDINGS,
        source="Wei, Iyer & Bilmes 2015",
    ),
    Strategy(
        name="saturated_coverage",
        label="Saturated coverage: every item has several picked ones like it",
        function=coverage.pick_saturated_coverage,
        settings=coverage.SaturatedSettings,
        needs=_EMBEDDINGS,
        source="Lin & Bilmes 2011",
    ),
    Strategy(
        name="graph_cut",
        label="Graph cut: like many others, unlike what is picked",
        function=coverage.pick_graph_cut,
        settings=coverage.CutSettings,
        needs=_EMBEDDINGS,
        source="Lin & Bilmes 2011",
    ),
    Strategy(
        name="feature_coverage",
        label="Feature coverage: every direction of the embedding is there",
        function=coverage.pick_feature_coverage,
        needs=_EMBEDDINGS,
        source="Kirchhoff & Bilmes 2014",
    ),
    Strategy(
        name="badge",
        label="BADGE: a spread of the gradients that labels would give",
        function=badge.pick_badge,
        needs=_BOTH,
        stochastic=True,
        chance="draw",
        source="Ash et al. 2020",
    ),
    Strategy(
        name="determinantal",
        label="Determinantal: unsure items that span a large volume",
        function=determinantal.pick_determinantal,
        settings=determinantal.DeterminantalSettings,
        needs=_BOTH,
        any_model=True,
        source="Chen, Zhang & Zhou 2018",
    ),
    Strategy(
        name="typiclust",
        label="TypiClust: the most typical item of clusters without a label",
        function=typiclust.pick_typiclust,
        settings=typiclust.TypiclustSettings,
        needs=_EMBEDDINGS,
        stochastic=True,
        source="Hacohen, Dekel & Weinshall 2022",
    ),
    Strategy(
        name="kmeans",
        label="Clusters: the most typical item of each",
        function=diversity.pick_kmeans,
        settings=diversity.ClusterSettings,
        needs=_EMBEDDINGS,
        stochastic=True,
        source="Zhdanov 2019",
    ),
    Strategy(
        name="margin_diverse",
        label="Margin over clusters: many uncertain items, the most typical of each cluster",
        function=diversity.pick_margin_diverse,
        settings=diversity.DiverseSettings,
        needs=_BOTH,
        any_model=True,
        stochastic=True,
        source="Zhdanov 2019; Citovsky et al. 2021",
    ),
    Strategy(
        name="herding",
        label="Uncertainty herding: unsure items that stand for other unsure ones, unlike the labelled",
        function=herding.pick_herding,
        settings=herding.HerdingSettings,
        needs=_BOTH,
        any_model=True,
        source="Bae, Oliveira & Sutherland 2025",
    ),
    Strategy(
        name="hardness",
        label="Hardness: near to labelled items that models get wrong",
        function=hardness.pick_hardness,
        needs=frozenset({"hardness"}),
    ),
    Strategy(
        name="hard_tail",
        label="Hard tail: drawn from the few per cent of greatest predicted loss",
        function=loss_ranking.pick_hard_tail,
        settings=loss_ranking.TailSettings,
        needs=frozenset({"hardness"}),
        stochastic=True,
        chance="inclusion",
    ),
    Strategy(
        name="smallest_flip",
        label="Smallest flip: the least push on the embedding changes the prediction",
        function=flip.pick_smallest_flip,
        needs=_BOTH,
        source="Moosavi-Dezfooli, Fawzi & Frossard 2016",
    ),
    Strategy(
        name="blend",
        label="Blend: uncertainty, diversity and hardness, weighted",
        function=blend.pick_blend,
        settings=blend.BlendSettings,
        needs=_BOTH | {"hardness"},
    ),
    Strategy(
        name="blend_published",
        label="Blend as published: entropy, distance and loss at 0.4, 0.3, 0.3",
        function=blend.pick_blend_published,
        settings=blend.PublishedSettings,
        needs=_BOTH | {"hardness"},
    ),
    Strategy(
        name="cold_start",
        label="Cold start: half random, half spread over clusters",
        function=coldstart.pick_cold_start,
        settings=coldstart.ColdStartSettings,
        needs=_EMBEDDINGS,
        stochastic=True,
        chance="inclusion",
    ),
    # What did best on held-out parts of snips and sib200_zh_en: bench/RESULTS.md, and
    # `python -m bench.label_efficiency --choose`.
    Strategy(
        name="default",
        label="Default: unsure items that stand for other unsure ones, unlike the labelled",
        function=herding.pick_herding,
        settings=herding.HerdingSettings,
        needs=_BOTH,
        any_model=True,
        source="Bae, Oliveira & Sutherland 2025",
    ),
)

STRATEGIES: dict[str, Strategy] = {strategy.name: strategy for strategy in _ALL}


def strategy_named(name: str) -> Strategy:
    """Raises UnknownStrategy, naming those that there are."""
    if name not in STRATEGIES:
        raise UnknownStrategy(f"there is no strategy {name!r}: use one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def add_from(modules: Iterable[str]) -> None:
    """Add a deployment's own strategies: each module has a function `strategies()` that returns them.

    Loading a module twice changes nothing. The names of modules come from a setting, which is read outside the
    core; a program is told them in its spec.

    Raises:
        ValueError: no such module or function, something that is no Strategy, settings that are no dataclass
            with defaults, or a name that another strategy has.
    """
    for module in modules:
        if module in _ADDED:
            continue
        for strategy in _of(module):
            if strategy.name in STRATEGIES:
                raise ValueError(
                    f"{module} has a strategy {strategy.name!r}, and there is one of that name: name it anew"
                )
            STRATEGIES[strategy.name] = strategy
        _ADDED.add(module)


_ADDED: set[str] = set()


def _of(module: str) -> list[Strategy]:
    try:
        found = list(import_module(module).strategies())
    except ModuleNotFoundError as error:
        raise ValueError(f"there is no module {error.name!r} for strategies of {module!r}") from error
    except AttributeError as error:
        raise ValueError(f"{module} has no function strategies() that returns a list of Strategy") from error
    for strategy in found:
        if not isinstance(strategy, Strategy):
            raise ValueError(f"strategies() of {module} returned {strategy!r}, expected Strategy objects")
        if not is_dataclass(strategy.settings) or any(
            entry.default is MISSING and entry.default_factory is MISSING
            for entry in fields(strategy.settings)
        ):
            raise ValueError(
                f"the settings of {strategy.name!r} in {module} are no dataclass with a default for each field"
            )
    return found
