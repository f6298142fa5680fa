"""What each objective learns on real data: `python -m bench.objectives [--quick] [--only NAME,...]`.

Every figure is that of a fine-tuned encoder on held-out items, from the very programs that a run starts;
"against" says what it is held against on the same items, or its interval.

    multilabel  convabuse, types of abuse: micro-F1
    rating      convabuse, how abusive on five points: weighted kappa, against kappa of people with one another
    spans       wnut17_ner: F1 of exact spans; uner_zh_dev likewise, in Chinese, which the base hardly reads
    tree        banking77 in a tree of two levels: accuracy of leaves, against the flat list
    soft        convabuse: rating learnt from shares of votes, against the middle vote
    increment   banking77: going on from a model of the first half, against the base on all
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from annotation.task_types import registry as task_types
from annotation.task_types.content import Content
from bench._report import Figure, main
from bench._sets import data_folder
from training.learning.encoder import default_encoder_path
from training.programs import evaluate, finetune, predict

Row = tuple[str, Any, dict[str, float]]  # text, answer, posterior
TYPES = ("sex_harassment", "intellectual", "sexist", "homophobic", "racist", "ableism", "transphobic")
SCALE = {
    "name": "abuse",
    "type": "rating",
    "lowest": -3,
    "points": 5,
    "dimensions": [{"id": "level", "name": "Level"}],
}
# The first group whose words stand in the name of an intent takes it.
GROUPS = (
    ("topping up", "top_?up|topping|automatic"),
    ("cash", "cash|atm|cheque"),
    ("identity", "identity|verify|age_limit|personal_details|source_of_funds"),
    ("security", "pin|passcode|lost|stolen|compromised|swallowed|terminate"),
    ("transfers", "transfer|receiving|beneficiary|direct_debit"),
    ("exchange", "exchange|currenc|country"),
    ("payments", "payment|refund|charged|statement|pay_or"),
    ("cards", "card|contactless|visa"),
)
SIZES = {True: (120, 60, 60, 20), False: (2_000, 400, 800, None)}  # train, validation, test, steps


def options(of_tests: bool = False) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", default="", help="names of figures, parted by commas")
    return parser


def figures(quick: bool) -> Iterator[Figure]:
    only = {name for name in options().parse_known_args()[0].only.split(",") if name}
    for name, measure in MEASURES.items():
        if only and name not in only:
            continue
        try:
            yield from measure(quick)
        except FileNotFoundError as error:
            yield Figure(f"objectives.{name}", skipped=f"{error.filename} is not on this machine")


class Site:
    """A folder with one frozen dataset, in which models are trained and judged."""

    def __init__(self, field: dict[str, Any], rows: Sequence[Row], quick: bool, *, seed: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gyre-objectives-"))
        self.field, self.seed = field, seed
        train, validation, test, self.steps = SIZES[quick]
        order = np.random.default_rng(seed).permutation(len(rows))
        wanted = train + validation + test
        if len(rows) < wanted:  # a small set is parted in the same shares
            train, validation, test = (int(len(rows) * size / wanted) for size in (train, validation, test))
        ends = np.cumsum([0, test, validation, train])
        self.parts = {
            split: [int(at) for at in order[ends[i] : ends[i + 1]]]
            for i, split in enumerate(("test", "validation", "train"))
        }
        self.rows = rows
        self.data = self.write("data", self.parts["train"])

    def write(self, name: str, train: Sequence[int]) -> Path:
        """A dataset's folder with these training items."""
        folder = self.folder / name
        folder.mkdir()
        kind = task_types.task_type(self.field)
        for split, at in {**self.parts, "train": train}.items():
            some = [self.rows[i] for i in at]
            examples = [
                kind.training_examples(self.field, Content(text=text), answer) for text, answer, _p in some
            ]
            categories = [kind.category(self.field, answer) or "-" for _text, answer, _p in some]
            table = {
                "row": pa.array(at, pa.int64()),
                "text": [text for text, _answer, _p in some],
                "label": categories,
                "weight": [1.0] * len(some),
                "examples": [json.dumps(one) for one in examples],
                "posterior": [json.dumps(shares) if shares else None for _text, _answer, shares in some],
            }
            pq.write_table(pa.table(table), folder / f"{split}.parquet")
        return folder

    def train(self, name: str, objective: str, **changes: Any) -> dict[str, Any]:
        """Fine-tune; result.json of the model, with the seconds it took."""
        begun = time.monotonic()
        spec = {
            "result": str(self.folder / name),
            "work": str(self.folder / f"{name}-work"),
            "data": str(self.data),
            "field": self.field,
            "objective": objective,
            "base_model": str(default_encoder_path()),
            "epochs": 3.0,
            "max_steps": self.steps,
            "max_length": 64,
            "seed": self.seed,
            **changes,
        }
        quiet(finetune.work, spec)
        found: dict[str, Any] = json.loads((self.folder / name / "result.json").read_text())
        quiet(
            predict.work,
            {
                "result": str(self.folder / f"{name}-said"),
                "model": str(self.folder / name),
                "texts": str(self.data / "test.parquet"),
            },
        )
        return {**found, "seconds": time.monotonic() - begun}

    def judge(self, name: str, baseline: str = "") -> dict[str, Any]:
        """Figures of a model on the test items, beside another's."""
        quiet(
            evaluate.work,
            {
                "result": str(self.folder / f"{name}-judged"),
                "gold": str(self.data / "test.parquet"),
                "labels": json.loads((self.folder / name / "result.json").read_text())["labels"],
                "field": self.field,
                "predictions": str(self.folder / f"{name}-said"),
                "baseline": str(self.folder / f"{baseline}-said") if baseline else None,
            },
        )
        found: dict[str, Any] = json.loads((self.folder / f"{name}-judged" / "result.json").read_text())
        return found


def quiet(work: Any, spec: dict[str, Any]) -> None:
    """Run a program here, its events on standard error."""
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        work(spec)
    finally:
        sys.stdout = out


def multilabel(quick: bool) -> Iterator[Figure]:
    field = {"name": "types", "type": "multilabel", "labels": [{"id": one, "name": one} for one in TYPES]}
    votes = convabuse()
    rows = []
    for text, given in votes:
        counts = Counter(name for _point, types in given for name in types)
        shares = {name: counts[name] / len(given) for name in TYPES if counts[name]}
        rows.append((text, [name for name in TYPES if 2 * counts[name] >= len(given)], shares))
    site = Site(field, _richer(rows, quick), quick)
    trained = site.train("model", "multilabel")
    yield from _told("multilabel", site.judge("model"), ("micro_f1", "macro_f1", "accuracy"), trained)


def _richer(rows: list[Row], quick: bool) -> list[Row]:
    """All items that name something, and as many that name nothing: a tenth of all is abuse of a type."""
    named = [row for row in rows if row[1]]
    rest = [row for row in rows if not row[1]]
    keep = np.random.default_rng(1).permutation(len(rest))[: max(len(named), 0 if not quick else 200)]
    return named + [rest[int(at)] for at in np.sort(keep)]


def rating(quick: bool) -> Iterator[Figure]:
    site = Site(SCALE, rated(), quick)
    trained = site.train("model", "rating")
    people = _agreement_of_people()
    judged = site.judge("model")
    for figure in _told("rating", judged, ("kappa", "mae", "accuracy"), trained):
        if figure.name.endswith(".kappa"):
            figure = Figure(
                figure.name, figure.value, "kappa", "two people on one item", (figure.value or 0) / people
            )
        yield figure


def soft(quick: bool) -> Iterator[Figure]:
    site = Site(SCALE, rated(), quick)
    site.train("hard", "rating")
    site.train("soft", "rating", soft_labels=True)
    judged = site.judge("soft", "hard")
    hard = judged["baseline"]["kappa"]
    yield Figure("objectives.soft.kappa", judged["model"]["kappa"], "kappa", f"the middle vote, {hard:.3f}")
    yield from _difference("soft", judged)


def spans(quick: bool) -> Iterator[Figure]:
    for name, split in (("wnut17_ner", "*"), ("uner_zh_dev", "*")):
        rows: list[Row] = []
        labels: dict[str, None] = {}
        for row in _lines(name, split):
            found = [{key: one[key] for key in ("start", "end", "label")} for one in row["spans"]]
            found = [{**one, "label": one["label"].lower()} for one in found]
            labels |= dict.fromkeys(one["label"] for one in found)
            rows.append((row["text"], {"spans": found}, {}))
        known = [{"id": one, "name": one} for one in sorted(labels)]
        field = {"name": "entities", "type": "spans", "labels": known}
        for tagging in ("bio", "bilou") if not quick else ("bio",):
            site = Site(field, rows, quick)
            trained = site.train("model", "spans", tagging=tagging, max_length=96)
            what = f"spans.{name}.{tagging}"
            yield from _told(what, site.judge("model"), ("f1", "macro_f1", "accuracy"), trained)


def tree(quick: bool) -> Iterator[Figure]:
    rows, labels = banking()
    grouped = [{"id": _id(group), "name": group} for group, _words in GROUPS]
    nested = {
        "name": "intent",
        "type": "classification",
        "labels": [*grouped, *({"id": one, "name": one, "parent": group_of(one)} for one in labels)],
    }
    flat = {**nested, "labels": [{"id": one, "name": one} for one in labels]}
    site = Site(nested, rows, quick)
    trained = site.train("tree", "hierarchy")
    site.train("flat", "classification", field=flat)
    judged = site.judge("tree", "flat")
    for figure in _told("tree", judged, ("level_1", "level_2", "path_f1"), trained):
        of = figure.name.rsplit(".", 1)[1]
        against = f"a flat list, {judged['baseline'][of]:.3f}" if of in judged["baseline"] else ""
        yield Figure(figure.name, figure.value, figure.unit, against)
    yield from _difference("tree", judged)


def increment(quick: bool) -> Iterator[Figure]:
    rows, labels = banking()
    field = {"name": "intent", "type": "classification", "labels": [{"id": x, "name": x} for x in labels]}
    site = Site(field, rows, quick)
    train = site.parts["train"]
    first = site.write("first", train[: len(train) // 2])
    site.train("before", "classification", data=str(first))
    base = site.train("base", "classification")
    for replay in (0.25, 0.0):
        name = f"increment-{replay}"
        went_on = site.train(
            name,
            "classification",
            base_model=str(site.folder / "before" / "model"),
            start_head=True,
            before=str(first),
            replay=replay,
        )
        judged = site.judge(name, "base")
        what = f"increment.replay_{replay}"
        full = f"the base on all, {judged['baseline']['accuracy']:.3f}"
        yield Figure(f"objectives.{what}.accuracy", judged["model"]["accuracy"], "share", full)
        yield from _difference(what, judged)
        yield Figure(
            f"objectives.{what}.steps",
            went_on["steps"],
            "count",
            "the base on all",
            went_on["steps"] / base["steps"],
        )


MEASURES = {
    "multilabel": multilabel,
    "rating": rating,
    "spans": spans,
    "tree": tree,
    "soft": soft,
    "increment": increment,
}


def _told(
    what: str, judged: dict[str, Any], names: Sequence[str], trained: dict[str, Any]
) -> Iterator[Figure]:
    for name in names:
        low, high = judged["model"]["intervals"][name]
        note = f"95 % {low:.3f} to {high:.3f}, n {judged['n']}" if low is not None else ""
        yield Figure(f"objectives.{what}.{name}", judged["model"][name], "share", note)
    yield Figure(f"objectives.{what}.seconds", round(trained["seconds"], 1), "s", f"{trained['steps']} steps")


def _difference(what: str, judged: dict[str, Any]) -> Iterator[Figure]:
    found = judged["difference"]
    if found:
        note = f"95 % {found['low']:+.3f} to {found['high']:+.3f}, n {found['n']}, paired"
        yield Figure(f"objectives.{what}.difference", found["value"], judged["headline"], note)


def convabuse() -> list[tuple[str, list[tuple[int, list[str]]]]]:
    """Texts, with the point and the types that each annotator gave."""
    given: dict[str, list[tuple[int, list[str]]]] = defaultdict(list)
    for row in _lines("convabuse", "annotations"):
        if row["occasion"] == 1:
            given[row["item"]].append((row["label"], row["types"]))
    seen: dict[str, list[tuple[int, list[str]]]] = {}
    for row in _lines("convabuse", "items"):
        seen.setdefault(row["text"].strip().lower(), given[row["id"]])  # one item of each text: no leak
    return [(text, votes) for text, votes in seen.items() if text and votes]


def rated() -> list[Row]:
    """convabuse: the lower median of the points, and their shares."""
    rows = []
    for text, votes in convabuse():
        points = sorted(point for point, _types in votes)
        shares = {f"level={point}": count / len(points) for point, count in Counter(points).items()}
        rows.append((text, {"level": points[(len(points) - 1) // 2]}, shares))
    return rows


def _agreement_of_people() -> float:
    """Quadratic weighted kappa between two annotators of an item, the first two of each."""
    from training.evaluation.answers import ratings

    pairs = [[point for point, _types in votes[:2]] for _text, votes in convabuse() if len(votes) > 1]
    gold, given = ([{"level": pair[at]} for pair in pairs] for at in (0, 1))
    return ratings(SCALE, gold, given).scores["kappa"].value


def banking() -> tuple[list[Row], list[str]]:
    """banking77 with ids that a schema takes."""
    rows: list[Row] = [
        (row["text"], _id(row["label"]), {})
        for split in ("train", "test")
        for row in _lines("banking77", split)
    ]
    return rows, sorted({label for _text, label, _shares in rows})


def group_of(label: str) -> str:
    """The upper node of an intent."""
    for group, words in GROUPS:
        if re.search(words, label):
            return _id(group)
    return _id(GROUPS[-1][0])


def _id(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "_", name.lower())


def _lines(name: str, part: str) -> Iterator[dict[str, Any]]:
    folder = data_folder() / name
    paths = sorted(folder.glob(f"{part}.jsonl.gz"))
    if not paths:
        raise FileNotFoundError(2, "not there", str(folder / f"{part}.jsonl.gz"))
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            yield from map(json.loads, stream)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(main(figures, options=options()))
