"""Write a page for each strategy, docs/reference/strategies/NAME.md, and the list of all, README.md beside them.

    python -m scripts.strategy_pages

All that they say comes from the registry, the docstrings, the words of the launch form and the tables of
bench/RESULTS.md. A picture that is lacking is drawn.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from django.conf import settings as django_settings

from scripts import draw_strategies
from selection import setting_words, strategy_words
from selection.strategies.registry import STRATEGIES, Strategy
from training.settings_schema import Setting, describe

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference" / "strategies"
RESULTS = ROOT / "bench" / "RESULTS.md"
UP = "../../.."  # from the folder to the root
CHOOSING = "../../explanation/strategies.md"

WRITTEN = "<!-- Written by `python -m scripts.strategy_pages`: change what it reads, then run it. -->"
LEGEND = (
    "On a made-up pool of five kinds of items with three labels. Grey: what may be picked. Blue squares:\n"
    "labelled already. Orange rings: twenty picks."
)
LETTERS = (
    "n items of the pool (n' of them free), k labels, d dimensions, m labelled items, c picks; e is an\n"
    "embedding of length one, S what is picked."
)
COLUMNS = {  # what people call it, its name in the example, and what that holds
    "probs": ("probabilities", "probs", "(n, k), rows that sum to one"),
    "versions": ("versions", "earlier", "(n, versions, k), as probs"),
    "embeddings": ("embeddings", "vectors", "(n, d), rows of length one"),
    "hardness": ("hardness", "losses", "(n,), higher is harder"),
}
CHANCES = {
    "inclusion": "known: what was drawn keeps its inclusion probability",
    "draw": "of each draw given the draws before it, as the part `chance`; of the whole design it is not known",
    "none": "none",
}


def page(strategy: Strategy) -> str:
    """The Markdown of one strategy's page."""
    function = strategy.function
    code = Path(inspect.getfile(function)).relative_to(ROOT)
    facts = {
        "Name": f"`{strategy.name}`",
        "Asks for": f"{asked(strategy)} ([more]({CHOOSING}#what-they-ask-for))",
        "Types of label": "categories" if _reads_categories(strategy) else "every",
        "Where that is lacking, a round goes by": fallback(strategy),
        "Seed": "the picks depend on it" if strategy.stochastic else "plays no part",
        "Chance of a pick": CHANCES[strategy.chance],
        "Source": strategy.source,
        "Code": f"[`{function.__name__}`]({UP}/{code})",
        "Figures": ", ".join(measured(strategy.name)),
    }
    parts = [
        f"# {strategy.label}",
        WRITTEN,
        strategy_words.help_of(strategy.name),
        f"![Map of items with the picks of `{strategy.name}`](../../img/strategies/{strategy.name}.svg)",
        LEGEND,
        "\n".join(f"- **{name}**: {said}" for name, said in facts.items() if said),
        "## How it picks",
        prose(function),
        f"Letters: {LETTERS}",
        "## Settings",
        settings_table(strategy),
        "## From a notebook",
        f"```python\n{example(strategy)}```",
        "[Choose from a notebook](../../how-to/choose-from-a-notebook.md) goes on from there: "
        "labels, a model, the next batch.",
        f"See also: [all strategies](README.md), [choosing among them]({CHOOSING})",
    ]
    return "\n\n".join(parts) + "\n"


def contents() -> str:
    """The list of all strategies."""
    rows = [
        f'| <img src="../../img/strategies/{one.name}.svg" width="120" alt=""> '
        f"| [`{one.name}`]({one.name}.md) | {one.label} | {asked(one)} | {'yes' if one.stochastic else 'no'} |"
        for one in STRATEGIES.values()
    ]
    table = ["| picks | name | idea | asks for | by seed |", "|---|---|---|---|---|", *rows]
    lead = (
        f"[Which one to take]({CHOOSING}) is another page. The pictures (`python -m scripts.draw_strategies`):\n"
        f"{LEGEND[0].lower()}{LEGEND[1:]}"
    )
    return "\n\n".join(["# All strategies", WRITTEN, lead, "\n".join(table)]) + "\n"


def asked(strategy: Strategy) -> str:
    """The columns it needs, in words."""
    return (
        ", ".join(words for need, (words, *_rest) in COLUMNS.items() if need in strategy.needs) or "nothing"
    )


def _reads_categories(strategy: Strategy) -> bool:
    return bool(strategy.needs & {"probs", "hardness"}) and not strategy.any_model


def fallback(strategy: Strategy) -> str:
    """What `services.picking.plan_for` takes in its place, and when; empty where it can always run."""
    found = []
    if "probs" in strategy.needs:
        found.append("[`cold_start`](cold_start.md) before there is a model")
    elif "hardness" in strategy.needs:
        found.append("[`cold_start`](cold_start.md) before there are labels")
    if "versions" in strategy.needs:
        found.append("[`margin`](margin.md) where nothing can disagree with the model")
    if _reads_categories(strategy):
        found.append("[`default`](default.md) where the labels are not categories")
    return "; ".join(found)


def measured(name: str) -> Iterator[str]:
    """Links to the sections of bench/RESULTS.md that have a row of it."""
    heading, linked = "", ""
    for line in RESULTS.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif heading != linked and re.match(rf"\| (selection\.|default = )?{name}\b[^|]*\|", line):
            linked = heading
            anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            yield f"[{heading}]({UP}/bench/RESULTS.md#{anchor})"


def prose(described: object) -> str:
    """A docstring as Markdown; what it says to see in another module of the strategies is quoted below it."""
    text = inspect.getdoc(described) or ""
    quotes = []
    for module, name in re.findall(r"see `(\w+)\.(\w+)`", text):
        seen = inspect.getdoc(getattr(import_module(f"selection.strategies.{module}"), name))
        quotes.append("\n".join(f"> {line}".rstrip() for line in f"`{module}.{name}`: {seen}".splitlines()))
    text = re.sub(r"^Parts: ", "**Parts of the score**: ", text, flags=re.MULTILINE)
    return "\n\n".join([text.replace("(see docs)", f"([why]({CHOOSING}))"), *quotes])


def settings_table(strategy: Strategy) -> str:
    """Its settings with the words of the launch form."""
    found = describe(strategy.settings)
    if not found:
        return "None."
    rows = [f"| `{one.name}` | {_default(one)} | {_meaning(strategy.name, one)} |" for one in found]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def _default(setting: Setting) -> str:
    return f"`{str(setting.default).lower()}`" if setting.kind == "bool" else f"`{setting.default}`"


def _meaning(owner: str, setting: Setting) -> str:
    name, hint = setting_words.words_of(owner, setting.name)
    choices = [f"`{one}`: {setting_words.choice_name(setting.name, one)}" for one in setting.choices]
    return " ".join(part for part in (f"*{name}.*", str(hint), "; ".join(choices)) if part)


def example(strategy: Strategy) -> str:
    """Python that asks for twenty picks from arrays."""
    columns = {need: words for need, words in COLUMNS.items() if need in strategy.needs}
    told = [f"# {variable}: {holds}\n" for _words, variable, holds in columns.values()]
    names = [f"{need}={variable}" for need, (_words, variable, _holds) in columns.items()]
    count = f"len({next(iter(columns.values()))[1]})" if columns else "1_000"
    imports = ["selection.strategies.batch import pick_batch", "selection.strategies.pool import Pool"]
    given = ""
    if describe(strategy.settings):
        of = strategy.settings
        first = next(iter(of.__annotations__))  # its own, before what it inherits
        imports.append(f"{of.__module__} import {of.__name__}")
        default = repr(getattr(of, first)).replace("'", '"')
        told.append(f"settings = {of.__name__}({first}={default})\n")
        given = "settings=settings, "
    return (
        "import numpy as np\n"
        + "".join(f"from {one}\n" for one in sorted(imports))
        + "\n"
        + "".join(told)
        + f"pool = Pool({', '.join([f'rows=np.arange({count})', *names])})\n"
        + "rng = np.random.default_rng(0)\n"
        + f'batch = pick_batch(pool, 20, strategy="{strategy.name}", {given}rng=rng)\n'
        + "batch.indices, batch.parts\n"
    )


def files() -> dict[str, str]:
    """All that the command writes: name of the file and its text."""
    return {"README.md": contents(), **{f"{name}.md": page(one) for name, one in STRATEGIES.items()}}


def main() -> None:
    if not django_settings.configured:
        django_settings.configure(USE_I18N=False)  # the words as they stand in the source
    for name in STRATEGIES:
        if not (draw_strategies.FOLDER / f"{name}.svg").exists():
            draw_strategies.main([name])
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(STRATEGIES)} pages and README.md in {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
