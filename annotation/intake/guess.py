"""Which column is probably what, from its name and a look at the first rows. A person confirms it."""

from __future__ import annotations

from collections.abc import Iterable

from annotation.intake.records import FileInfo
from annotation.intake.validate import Mapping

TEXT_NAMES = (
    *("text", "文本", "sentence", "句子", "query", "question", "message", "utterance", "content", "内容"),
    *("body", "review", "comment", "评论", "document", "input", "prompt", "tweet"),
)
LABEL_NAMES = (
    *("label", "标签", "intent", "意图", "category", "类别", "分类", "class", "target", "sentiment", "gold"),
    *("label_name", "gold_label", "topic"),
)
ID_NAMES = ("id", "external_id", "uuid", "guid", "key", "编号", "item_id", "text_id", "row_id")


def guess_mapping(info: FileInfo) -> Mapping:
    """The text column by name, else the one with the longest mean length in the preview; label and id by name
    alone.

    A split is never guessed: a file that says "train" on every row would leave nothing to judge models by.
    Nor is
    anything kept as meta: a label column beside the text would tell people the answer.
    """
    named = {
        " ".join(column.casefold().split()).replace(" ", "_"): column for column in reversed(info.columns)
    }
    label, external_id = _by_name(named, LABEL_NAMES), _by_name(named, ID_NAMES)
    taken = {label, external_id}
    text = _by_name(named, TEXT_NAMES) or _longest(
        info, [column for column in info.columns if column not in taken]
    )
    if text is None:
        text, label, external_id = info.columns[0], None, None
    return Mapping(text=text, label=label, external_id=external_id)


def _by_name(named: dict[str, str], wanted: Iterable[str]) -> str | None:
    return next((named[name] for name in wanted if name in named), None)


def _longest(info: FileInfo, columns: list[str]) -> str | None:
    """The column of `columns` with the most characters in the preview; the first of equals; None of none."""
    return max(
        columns, key=lambda column: sum(len(row.get(column, "")) for row in info.preview), default=None
    )
