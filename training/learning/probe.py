"""The probe: a linear head on frozen embeddings. Seconds instead of minutes, and no torch.

n  items        d  width of an embedding        k  labels        p  labels that were seen in training
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from training.learning import calibration
from training.learning.threads import one_blas_thread

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

FILE = "probe.npz"
MOST_ITERATIONS = 500


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Multinomial logistic regression over the labels seen, with room for those that were not.

    Attributes:
        coef: (p, d), intercept: (p,), columns: (p,) place of each seen label among the k labels.
        k: number of labels of the schema.
        floor: probability of each label that was never seen, 1 / (n + k) (Laplace's rule).
        temperature: by which the logits are divided.
    """

    coef: Floats
    intercept: Floats
    columns: Ints
    k: int
    floor: float
    temperature: float = 1.0

    def logits(self, embeddings: Floats) -> npt.NDArray[np.float64]:
        """(n, p) logits of the labels seen, before the temperature. O(n p d)."""
        return np.asarray(embeddings @ self.coef.T + self.intercept, dtype=np.float64)

    def probabilities(self, embeddings: Floats) -> npt.NDArray[np.float32]:
        """(n, k) float32 rows that sum to 1, calibrated."""
        unseen = self.k - len(self.columns)
        probs = np.full((len(embeddings), self.k), self.floor, dtype=np.float32)
        seen = calibration.calibrated(self.logits(embeddings), self.temperature)
        probs[:, self.columns] = seen * (1.0 - unseen * self.floor)
        return probs

    def head(self, embeddings: Floats) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The same as a dense head of k outputs, weight (k, d) and bias (k,), for a network to start from.

        A label that was never seen gets the constant that gives it about `floor` on `embeddings` (n, d).
        """
        weight = np.zeros((self.k, self.coef.shape[1]), dtype=np.float32)
        usual = float(logsumexp(self.logits(embeddings), axis=1).mean())
        bias = np.full(self.k, usual + np.log(self.floor), dtype=np.float32)
        weight[self.columns], bias[self.columns] = self.coef, self.intercept
        return weight, bias


def fit(
    embeddings: Floats, labels: Ints, k: int, *, c: float, seed: int, weights: Floats | None = None
) -> Probe:
    """Fit by L-BFGS, L2-regularised.

    Args:
        embeddings: (n, d) float32 or float64.
        labels: (n,) columns 0..k-1; two or more different ones.
        k: number of labels of the schema, seen or not.
        c: inverse strength of the regularisation, as in scikit-learn; larger fits closer.
        weights: (n,) how much each item counts; None: all alike.

    Raises:
        ValueError: fewer than two different labels, or embeddings that are not finite.

    Cost O(iterations n p d); 500 x 384 x 7 in about 30 ms. The solver draws nothing: the seed is only handed
    on.
    """
    from sklearn.linear_model import LogisticRegression  # half a second to import: only where it is used

    seen = np.unique(labels)
    if len(seen) < 2:
        raise ValueError(
            f"found {len(seen)} different labels among {len(labels)} items, expected two or more: "
            "label more items"
        )
    if not np.isfinite(embeddings).all():
        raise ValueError("found embeddings that are not numbers: the encoder's weights are damaged")
    # Where all weights are alike they say nothing, and the solver is faster without.
    given = None if weights is None or np.ptp(weights) == 0 else weights
    model = LogisticRegression(C=c, max_iter=MOST_ITERATIONS, random_state=seed)
    with one_blas_thread():
        model.fit(embeddings, labels, sample_weight=given)
    coef, intercept = model.coef_, model.intercept_
    if len(seen) == 2:  # one row there: the second label's logit, the first one's being 0
        coef, intercept = np.vstack([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    return Probe(
        coef=coef, intercept=intercept, columns=seen.astype(np.int64), k=k, floor=1.0 / (len(labels) + k)
    )


def calibrate(probe: Probe, embeddings: Floats, labels: Ints) -> Probe:
    """The probe with the temperature that fits validation items best; items of labels never seen are left
    out.
    """
    known = np.isin(labels, probe.columns)
    at = np.searchsorted(probe.columns, labels[known])
    return replace(
        probe, temperature=calibration.fit_temperature(probe.logits(embeddings[known]), at.astype(np.int64))
    )


def save(probe: Probe, folder: Path) -> None:
    """Write probe.npz: plain arrays, nothing that runs on loading."""
    np.savez(
        folder / FILE,
        coef=probe.coef,
        intercept=probe.intercept,
        columns=probe.columns,
        k=np.int64(probe.k),
        floor=np.float64(probe.floor),
        temperature=np.float64(probe.temperature),
    )


def load(folder: Path) -> Probe:
    """Read probe.npz.

    Raises:
        ValueError: it is not there, damaged, or holds something else.
    """
    try:
        with np.load(folder / FILE, allow_pickle=False) as held:
            return Probe(
                coef=held["coef"],
                intercept=held["intercept"],
                columns=held["columns"],
                k=int(held["k"]),
                floor=float(held["floor"]),
                temperature=float(held["temperature"]),
            )
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"{folder / FILE} cannot be read as a probe ({error}): train the model again"
        ) from error
