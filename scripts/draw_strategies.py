"""Draw what each strategy picks on one small map: docs/img/strategies/NAME.svg.

python -m scripts.draw_strategies [NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from selection.strategies.pool import Pool
from selection.strategies.registry import STRATEGIES, Strategy

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "img" / "strategies"
SIZE, PICKS = 320, 20
KINDS = np.array([[-0.55, 0.45], [-0.25, 0.2], [0.5, 0.5], [0.45, -0.35], [-0.5, -0.55]])
LABELS = np.array([0, 0, 1, 2, 2])  # two labels have two kinds of items each
SHARES = np.array([0.34, 0.26, 0.22, 0.12, 0.06])

Points = npt.NDArray[np.float64]


def scene() -> tuple[Pool, Points, Points]:
    """(pool, its points, the labelled points): five kinds of items of three labels, and a few odd ones.

    A point (x, y) of the map is the unit vector over it on a sphere, so near on the map is alike.
    """
    rng = np.random.default_rng(7)
    kind = rng.choice(5, size=300, p=SHARES)
    points = KINDS[kind] + rng.normal(scale=0.12, size=(300, 2))
    points = np.clip(np.concatenate([points, rng.uniform(-0.95, 0.95, size=(15, 2))]), -0.98, 0.98)
    known = KINDS[[0, 0, 0, 1, 2, 2]] + rng.normal(scale=0.1, size=(6, 2))
    pool = Pool(
        rows=np.arange(len(points)),
        probs=guessed(points, len(KINDS)),
        versions=guessed(points, 3)[:, None],  # before it had seen the last two kinds
        embeddings=lifted(points),
        hardness=np.exp(-((points - KINDS[4]) ** 2).sum(axis=1) / 0.3) + rng.random(len(points)) / 5,
        labelled_embeddings=lifted(known),
    )
    return pool, points, known


def guessed(points: Points, kinds: int) -> Points:
    """(n, 3) probabilities by a model that knows the first so many kinds."""
    closeness = -((points[:, None] - KINDS[:kinds]) ** 2).sum(axis=2) / 0.08
    weights = np.exp(closeness - closeness.max(axis=1, keepdims=True))
    known = np.asarray(LABELS)[:kinds]
    probs = np.stack([weights[:, known == label].sum(axis=1) for label in range(3)], axis=1) + 0.02
    return probs / probs.sum(axis=1, keepdims=True)


def lifted(points: Points) -> npt.NDArray[np.float32]:
    flat = points * 0.7
    vectors = np.column_stack([flat, np.sqrt(1 - np.minimum((flat**2).sum(axis=1), 0.99))])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def draw(strategy: Strategy) -> str:
    """The SVG: the pool in grey, labelled items as blue squares, picks as orange rings."""
    pool, points, known = scene()
    picks = strategy.function(pool, PICKS, settings=strategy.settings(), rng=np.random.default_rng(1))
    title = f"{strategy.label}: {PICKS} picks among {len(points)} items, {len(known)} of others labelled"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}" '
        f'role="img" aria-label="{title}"><title>{title}</title>'
        f'<rect width="{SIZE}" height="{SIZE}" rx="8" fill="#fff"/>'
        f'<path d="{_dots(points)}" stroke="#9aa3ad" stroke-width="4" stroke-linecap="round"/>'
        f'<path d="{_dots(known)}" stroke="#1f5fbf" stroke-width="8" stroke-linecap="square"/>'
        f'<path d="{_dots(points[picks.indices])}" stroke="#c2410c" stroke-width="9" stroke-linecap="round"/>'
        f'<path d="{_dots(points[picks.indices])}" stroke="#fff" stroke-width="3.5" stroke-linecap="round"/>'
        "</svg>\n"
    )


def _dots(points: Points) -> str:
    places = np.round((points * [1, -1] + 1) / 2 * (SIZE - 16) + 8).astype(int)
    return "".join(f"M{x} {y}h0" for x, y in places)


def main(names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or list(STRATEGIES):
        path = FOLDER / f"{name}.svg"
        path.write_text(draw(STRATEGIES[name]), encoding="utf-8")
        print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    main(sys.argv[1:])
