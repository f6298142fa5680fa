"""What a new project may begin from: labels and a first guideline. The dict at the end is the only list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, kw_only=True)
class ProjectTemplate:
    key: str
    label: Any
    description: Any
    labels: tuple[dict[str, str], ...] = ()
    guideline: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


def _label(identity: str, name: str, name_zh: str, colour: str, description: str = "") -> dict[str, str]:
    return {"id": identity, "name": name, "name_zh": name_zh, "colour": colour, "description": description}


BLANK = ProjectTemplate(
    key="blank",
    label=_("Own labels"),
    description=_("Type the labels yourself, or let the first import bring them."),
)
SENTIMENT = ProjectTemplate(
    key="sentiment",
    label=_("Sentiment"),
    description=_("Positive, negative, neutral or mixed."),
    labels=(
        _label("positive", "Positive", "正面", "green"),
        _label("negative", "Negative", "负面", "red"),
        _label("neutral", "Neutral", "中性", "grey", "States facts, or is about something else."),
        _label("mixed", "Mixed", "褒贬参半", "amber", "Clearly both, neither outweighs."),
    ),
    guideline=(
        "# Sentiment\n\nChoose the feeling the writer expresses about the thing they write about.\n\n"
        "- Judge the words, not whether you agree.\n- Irony counts as what is meant.\n"
        "- Use *Mixed* only when both sides are clear and neither outweighs the other.\n"
    ),
)
RELEVANCE = ProjectTemplate(
    key="relevance",
    label=_("Relevant or not"),
    description=_("Two labels: keep a text or leave it out."),
    labels=(
        _label("relevant", "Relevant", "相关", "green"),
        _label("not-relevant", "Not relevant", "无关", "grey"),
    ),
    guideline=(
        "# Relevant or not\n\nA text is relevant when it answers the question this project asks. "
        "Write that question here, with two examples of each side.\n"
    ),
)
SUPPORT = ProjectTemplate(
    key="support",
    label=_("Customer messages"),
    description=_("What a customer wants: question, complaint, request, praise …"),
    labels=(
        _label("question", "Question", "咨询", "blue"),
        _label(
            "request", "Request", "请求", "teal", "Wants something done: a refund, a change, a cancellation."
        ),
        _label("complaint", "Complaint", "投诉", "red"),
        _label("praise", "Praise", "表扬", "green"),
        _label("other", "Something else", "其他", "grey"),
    ),
    guideline=(
        "# Customer messages\n\nChoose what the customer mainly wants from us.\n\n"
        "- A complaint that asks for a refund is a *Request* when the refund is the point.\n"
        "- When two fit, ask which one our answer would have to deal with first.\n"
    ),
)

TEMPLATES: dict[str, ProjectTemplate] = {
    template.key: template for template in (BLANK, SENTIMENT, RELEVANCE, SUPPORT)
}
