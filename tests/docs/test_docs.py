"""The documentation names what the code has: settings, commands, strategies; and its links lead somewhere."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

from selection.strategies.registry import STRATEGIES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("README.md")])
COMMANDS = sorted(
    path.stem for path in ROOT.glob("*/management/commands/*.py") if not path.stem.startswith("_")
)
# Set by the test runner and by the programs for their own children, never by a person.
INTERNAL = {"PYTEST_VERSION", "TEST_DATA_DIR"}
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)


def _variables() -> set[str]:
    """Names that config/settings.py reads from the environment: env.str("X"), os.environ["X"], "X" in
    os.environ.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "config" / "settings.py").read_text())):
        names: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            whose = ast.unparse(node.func.value)
            if node.args and (whose == "env" or (whose == "os.environ" and node.func.attr == "get")):
                names = [node.args[0]]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            names = [node.slice]
        elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "os.environ":
            names = [node.left]
        found |= {name.value for name in names if isinstance(name, ast.Constant)}  # type: ignore[misc]
    return found - INTERNAL


def _options(command: str) -> set[str]:
    """The options a command adds itself, as written in its source; those hidden from help are left out."""
    (path,) = ROOT.glob(f"*/management/commands/{command}.py")
    return {
        node.args[0].value  # type: ignore[misc]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "add_argument"
        and isinstance(node.args[0], ast.Constant)
        and str(node.args[0].value).startswith("--")
        and "used by the command itself" not in ast.unparse(node)
    }


def _section(page: str, title: str) -> str:
    """The text below the heading `## title`, up to the next heading of that level."""
    parts = re.split(r"^## ", page, flags=re.MULTILINE)
    return next((part for part in parts if part.split("\n", 1)[0].strip("` ") == title), "")


def _anchors(page: Path) -> set[str]:
    """Anchors as GitHub makes them of headings, and those that the page sets itself."""
    text = FENCE.sub("", page.read_text())
    titles = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(text)}
    return titles | set(re.findall(r'<a id="([^"]+)">', text))


def test_it_finds_the_settings_and_commands_it_checks() -> None:
    assert {"DATA_DIR", "DATABASE_URL", "PORT", "EMAIL_URL", "BEHIND_HTTPS"} <= _variables()
    assert {"up", "simulate", "import_items", "round"} <= set(COMMANDS)
    assert "--wait" in _options("round") and "--inside" not in _options("simulate")


@pytest.mark.parametrize("name", sorted(_variables()))
def test_it_explains_every_setting(name: str) -> None:
    assert f"`{name}`" in (DOCS / "reference" / "settings.md").read_text()
    assert re.search(rf"^# ?{name}=", (ROOT / ".env.example").read_text(), re.MULTILINE)


def test_it_explains_no_setting_that_is_not_read() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)`", (DOCS / "reference" / "settings.md").read_text(), re.MULTILINE)
    assert set(rows) == _variables() and len(rows) == len(set(rows))


@pytest.mark.parametrize("command", COMMANDS)
def test_it_explains_every_command_with_its_options(command: str) -> None:
    section = _section((DOCS / "reference" / "commands.md").read_text(), command)
    assert section, f"docs/reference/commands.md has no section “{command}”"
    assert {option for option in _options(command) if f"`{option}" not in section} == set()


def test_it_explains_no_command_that_is_not_there() -> None:
    titles = re.findall(r"^## `(\w+)`", (DOCS / "reference" / "commands.md").read_text(), re.MULTILINE)
    assert sorted(titles) == COMMANDS


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_it_explains_every_strategy(name: str) -> None:
    assert (
        f"[`{name}`](../reference/strategies/{name}.md)"
        in (DOCS / "explanation" / "strategies.md").read_text()
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_is_reached_from_the_index_or_the_list_of_strategies() -> None:
    lists = [DOCS / "README.md", DOCS / "reference" / "strategies" / "README.md"]
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in lists
        for target in LINK.findall(page.read_text())
    }
    assert lists[1] in linked
    assert set(DOCS.rglob("*.md")) - linked - set(lists) == set()


def test_the_notebook_page_does_what_it_says() -> None:
    failed, tried = doctest.testfile(
        str(DOCS / "how-to" / "choose-from-a-notebook.md"), module_relative=False
    )
    assert (failed, tried) == (0, 18)


def test_every_strategy_has_its_picture() -> None:
    drawn = {path.stem for path in (DOCS / "img" / "strategies").glob("*.svg")}
    assert drawn == set(STRATEGIES)
