"""Which column is probably what, from its name and a look at the first rows. A person confirms it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from annotation.intake.records import FileInfo
from annotation.intake.validate import Mapping

TEXT_NAMES = (
    *("text", "文本", "sentence", "句子", "query", "question", "message", "utterance", "content", "内容"),
    *("body", "review", "comment", "评论", "document", "input", "prompt", "tweet", "instruction", "问题"),
)
LABEL_NAMES = (
    *("label", "标签", "intent", "意图", "category", "类别", "分类", "class", "target", "sentiment", "gold"),
    *("label_name", "gold_label", "topic"),
)
ID_NAMES = ("id", "external_id", "uuid", "guid", "key", "编号", "item_id", "text_id", "row_id")
MESSAGES_NAMES = (
    *("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns", "对话"),
    *("prompt", "history"),
)
RESPONSES_NAMES = ("responses", "completions", "candidates", "answers", "generations", "outputs", "回答列表")
PAIRS = (("chosen", "rejected"), ("better", "worse"), ("win", "lose"))
NUMBERED = re.compile(r"(response|answer|output|completion|reply|model|generation)_?([a-j]|\d)")
DRAFT_NAMES = ("draft", "output", "answer", "response", "completion", "reply", "草稿", "回答")


def guess_mapping(info: FileInfo, types: Collection[str] | None = None) -> Mapping:
    """The text column by name, else the one with the longest mean length in the preview; label and id by name
    alone. A dialogue where the column's first rows hold turns.

    `types` are those of the schema's fields, None where it is not made yet: responses are only guessed where
    they could be compared, a draft only where one could be written. A split is never guessed: a file that says
    "train" on every row would leave nothing to judge models by. Nor is anything kept as meta, or taken as an
    answer beside the label column: it would tell people the answer.
    """
    named = {
        " ".join(column.casefold().split()).replace(" ", "_"): column for column in reversed(info.columns)
    }
    label, external_id = _by_name(named, LABEL_NAMES), _by_name(named, ID_NAMES)
    messages = next(
        (named[name] for name in MESSAGES_NAMES if name in named and _holds_turns(info, named[name])), None
    )
    responses = _responses(info, named) if types is None or "preference" in types else ()
    draft = _by_name(named, DRAFT_NAMES) if types is not None and "response" in types else None
    if draft in (messages, *responses):
        draft = None
    taken = {label, external_id, messages, draft, *responses}
    free = [column for column in info.columns if column not in taken]
    text = _by_name({name: column for name, column in named.items() if column in free}, TEXT_NAMES)
    if text is None and (messages is None and not _are_dialogues(info, responses)):
        text = _longest(info, free)
    if text is None and messages is None and not _are_dialogues(info, responses):
        return Mapping(text=info.columns[0])
    return Mapping(
        text=text or "",
        label=label,
        external_id=external_id,
        messages=messages,
        responses=responses,
        draft=draft,
    )


def _responses(info: FileInfo, named: dict[str, str]) -> tuple[str, ...]:
    """Columns with a response each, or one with a list of them."""
    for pair in PAIRS:
        if all(name in named for name in pair):
            return tuple(named[name] for name in pair)
    families: dict[str, list[str]] = {}
    for column in info.columns:
        if found := NUMBERED.fullmatch("_".join(column.casefold().split())):
            families.setdefault(found[1], []).append(column)
    largest = max(families.values(), key=len, default=[])
    if len(largest) > 1:
        return tuple(largest)
    single = _by_name(named, RESPONSES_NAMES)
    return (single,) if single and _begins(info, single, "[") else ()


def _are_dialogues(info: FileInfo, responses: Collection[str]) -> bool:
    return bool(responses) and all(_holds_turns(info, column) for column in responses)


def _holds_turns(info: FileInfo, column: str) -> bool:
    return _begins(info, column, "[{")


def _begins(info: FileInfo, column: str, mark: str) -> bool:
    """Whether the first rows that have something in a column begin so, as JSON or as it is previewed."""
    cells = [row.get(column, "").replace(" ", "") for row in info.preview]
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(cell.startswith(mark) for cell in filled)


def _by_name(named: dict[str, str], wanted: Iterable[str]) -> str | None:
    return next((named[name] for name in wanted if name in named), None)


def _longest(info: FileInfo, columns: list[str]) -> str | None:
    """The column of `columns` with the most characters in the preview; the first of equals; None of none."""
    return max(
        columns, key=lambda column: sum(len(row.get(column, "")) for row in info.preview), default=None
    )
