"""Preferences: an item's responses ranked, best first, with ties, strength and reasons.

A field of this type:
    {"name": "preferred", "type": "preference", "ties": true,
     "strengths": [{"id": "slightly", "name": "Slightly better"}, {"id": "much", "name": "Much better"}],
     "reasons": [{"id": "correct", "name": "More correct"}]}
Its answer, for responses r1, r2, r3:
    {"ranking": [["r2"], ["r1", "r3"]], "strength": "much", "reasons": ["correct"]}
Each group of the ranking is a tie; every response stands in exactly one. `strength` says how much better the
first group is than the second, and is missing where all are tied. On the screen the responses stand in an
order of the person's own, which the annotation's trace records, so that position bias can be measured.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from accounts.sentences import gettext_noop as _
from annotation.task_types import labels as label_lists
from annotation.task_types.content import Content
from annotation.task_types.values import Combined, InvalidDefinition, InvalidValue, shown

OPTIONS = frozenset({"ties", "strengths", "reasons"})


def validate_field(field: Mapping[str, Any]) -> None:
    if not isinstance(field.get("ties", True), bool):
        raise InvalidDefinition(_("ties of field %(field)s is not true or false"), field=shown(field["name"]))
    for key in ("strengths", "reasons"):
        if field.get(key):
            label_lists.validate_labels(field, key=key, minimum=1)


def validate_answer(field: Mapping[str, Any], answer: Any, content: Content | None = None) -> dict[str, Any]:
    """The answer with each tie in the order of the item's responses; `InvalidValue` for responses that are
    missing, unknown or doubled, a tie where none is allowed, and unknown strengths or reasons.
    """
    name = shown(field["name"])
    if not isinstance(answer, Mapping):
        raise InvalidValue(
            _('found %(answer)s for %(name)s, expected {"ranking": [[id], ...]}'),
            answer=shown(answer),
            name=name,
        )
    unknown = sorted(set(answer) - {"ranking", "strength", "reasons"})
    if unknown:
        raise InvalidValue(
            _("found %(unknown)s for %(name)s, expected ranking, strength and reasons"),
            unknown=shown(unknown[0]),
            name=name,
        )
    ranking = _ranking(field, answer.get("ranking"), content)
    found: dict[str, Any] = {"ranking": ranking}
    if field.get("strengths") and len(ranking) > 1:
        known = [one["id"] for one in field["strengths"]]
        if answer.get("strength") not in known:
            raise InvalidValue(
                _("strength %(strength)s of %(name)s: use one of %(known)s"),
                strength=shown(answer.get("strength")),
                name=name,
                known=", ".join(known),
            )
        found["strength"] = answer["strength"]
    given = answer.get("reasons") or []
    known = [one["id"] for one in field.get("reasons", ())]
    if not isinstance(given, Sequence) or isinstance(given, str) or not set(given) <= set(known):
        raise InvalidValue(
            _("found %(given)s for the reasons of %(name)s: use some of %(known)s"),
            given=shown(given),
            name=name,
            known=", ".join(known) or "∅",
        )
    if known:
        found["reasons"] = [one for one in known if one in given]
    return found


def _ranking(field: Mapping[str, Any], given: Any, content: Content | None) -> list[list[str]]:
    groups = [list(group) if isinstance(group, (list, tuple)) else None for group in given or ()]
    if not groups or not all(groups):
        raise InvalidValue(
            _("found the ranking %(given)s, expected groups of response ids, best first"), given=shown(given)
        )
    ids = [identity for group in groups for identity in group or ()]
    order = [one.id for one in content.responses] if content is not None else sorted(map(str, ids))
    if content is not None and not order:
        raise InvalidValue(_("the item has no responses to compare: skip it, and tell whoever imported it"))
    if sorted(map(str, ids)) != sorted(order):
        raise InvalidValue(
            _("the ranking names %(named)s: rank each of %(order)s once"),
            named=", ".join(map(str, ids)) or "∅",
            order=", ".join(order),
        )
    if not field.get("ties", True) and any(len(group or ()) > 1 for group in groups):
        raise InvalidValue(_("this project allows no ties: put one response first"))
    return [sorted(group or (), key=order.index) for group in groups]


def json_schema(field: Mapping[str, Any]) -> dict[str, Any]:
    group = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    properties: dict[str, Any] = {"ranking": {"type": "array", "items": group, "minItems": 1}}
    if field.get("strengths"):
        properties["strength"] = {"type": "string", "enum": [one["id"] for one in field["strengths"]]}
    if field.get("reasons"):
        reason = {"type": "string", "enum": [one["id"] for one in field["reasons"]]}
        properties["reasons"] = {"type": "array", "items": reason, "uniqueItems": True}
    return {
        "type": "object",
        "properties": properties,
        "required": ["ranking"],
        "additionalProperties": False,
    }


def places(answer: Mapping[str, Any]) -> dict[str, int]:
    """Response id -> place, 0 the best; tied responses share one."""
    return {identity: place for place, group in enumerate(answer["ranking"]) for identity in group}


def distance(field: Mapping[str, Any], a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Kendall's distance with ties in [0, 1]: over all pairs, 1 where the orders are opposite, ½ where one
    ties them and the other does not (Fagin et al., 2004, p = ½). Strength and reasons do not count.
    """
    one, two = places(a), places(b)
    pairs = list(combinations(sorted(one.keys() & two.keys()), 2))
    if not pairs:
        return 0.0 if one == two else 1.0
    total = 0.0
    for x, y in pairs:
        first, second = _sign(one[x] - one[y]), _sign(two[x] - two[y])
        total += abs(first - second) / 2
    return total / len(pairs)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def combine(field: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> Combined:
    """The ranking that most people gave; a tie between rankings waits for a person.

    Strength and reasons are the majority's among those who gave that ranking. Posterior: share by ranking,
    written r2>r1=r3.
    """
    counts = Counter(_written(answer) for answer in answers)
    posterior = {ranking: count / len(answers) for ranking, count in counts.items()}
    most = max(counts.values())
    leaders = [ranking for ranking, count in counts.items() if count == most]
    if len(leaders) > 1:
        return Combined(None, posterior)
    behind = [answer for answer in answers if _written(answer) == leaders[0]]
    found: dict[str, Any] = {"ranking": behind[0]["ranking"]}
    strengths = Counter(answer["strength"] for answer in behind if answer.get("strength"))
    if strengths:
        found["strength"] = strengths.most_common(1)[0][0]
    if field.get("reasons"):
        reasons = Counter(reason for answer in behind for reason in answer.get("reasons", ()))
        found["reasons"] = [one["id"] for one in field["reasons"] if 2 * reasons[one["id"]] >= len(behind)]
    return Combined(found, posterior)


def _written(answer: Mapping[str, Any]) -> str:
    return ">".join("=".join(sorted(group)) for group in answer["ranking"])


def category(field: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """The ranking itself: with two responses one of r1>r2, r2>r1, r1=r2."""
    return _written(answer)


def categories(field: Mapping[str, Any]) -> list[str]:
    """Rankings depend on how many responses an item has: none is known beforehand."""
    return []


def uses(answer: Mapping[str, Any]) -> set[str]:
    return {*filter(None, [answer.get("strength")]), *answer.get("reasons", ())}


def draft(field: Mapping[str, Any], answer: Any, content: Content) -> dict[str, Any] | None:
    """A pre-label's ranking of these responses, with what else of it is still in the schema."""
    if not isinstance(answer, Mapping):
        return None
    try:
        found: dict[str, Any] = {"ranking": _ranking(field, answer.get("ranking"), content)}
    except ValueError:
        return None
    if answer.get("strength") in [one["id"] for one in field.get("strengths", ())]:
        found["strength"] = answer["strength"]
    given = answer.get("reasons") or ()
    if reasons := [one["id"] for one in field.get("reasons", ()) if one["id"] in given]:
        found["reasons"] = reasons
    return found


def letter(position: int) -> str:
    """How people call the response at a place of their screen, counted from 0: A, B, C ..."""
    return chr(ord("A") + position)


def lettered(answer: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The answer with the letters of the screen in place of ids, for words: its reader sees no ids."""
    named = {identity: letter(position) for position, identity in enumerate(order)}
    groups = [sorted(named.get(identity, identity) for identity in group) for group in answer["ranking"]]
    return {**answer, "ranking": groups}


def shown_order(ids: Sequence[str], seed: str) -> list[str]:
    """The ids as one person sees them: shuffled by a hash of the seed (person and item), so that asking again
    gives the same order and no position is anybody's habit."""
    return sorted(ids, key=lambda one: hashlib.blake2b(f"{seed} {one}".encode(), digest_size=8).digest())


def trace(
    field: Mapping[str, Any], content: Content, answer: Mapping[str, Any], begun_from: Any, seed: str
) -> dict[str, Any]:
    """{"order": [...]}: the ids as they stood on the screen, the first one leftmost or on top."""
    return {"order": shown_order([one.id for one in content.responses], seed)}


def training_examples(
    field: Mapping[str, Any], content: Content, answer: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A row for each strictly ordered pair, as TRL's DPO and reward trainers read them: prompt, chosen,
    rejected; conversational (lists of messages) where the item is a dialogue. Ties teach nothing.
    """
    place = places(answer)
    rows = []
    for one, two in combinations([response.id for response in content.responses], 2):
        if place.get(one) is None or place.get(two) is None or place[one] == place[two]:
            continue
        best, worst = (one, two) if place[one] < place[two] else (two, one)
        rows.append(
            {
                "prompt": content.prompt(),
                "chosen": _reply(content, content.response(best)),
                "rejected": _reply(content, content.response(worst)),
            }
        )
    return rows


def _reply(content: Content, text: str) -> str | list[dict[str, str]]:
    return [{"role": "assistant", "content": text}] if content.messages else text


def example_columns(field: Mapping[str, Any], *, dialogue: bool) -> dict[str, str]:
    return dict.fromkeys(("prompt", "chosen", "rejected"), "turns" if dialogue else "text")


def columns(field: Mapping[str, Any]) -> dict[str, str]:
    name = field["name"]
    found = {f"{name}_ranking": "json", f"{name}_best": "text"}
    if field.get("strengths"):
        found[f"{name}_strength"] = "text"
    return found | ({f"{name}_reasons": "json"} if field.get("reasons") else {})


def export(field: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """`preferred_ranking` as JSON, `preferred_best`: the best response's id, empty on a tie for first place."""
    name, best = field["name"], answer["ranking"][0]
    found: dict[str, Any] = {
        f"{name}_ranking": answer["ranking"],
        f"{name}_best": best[0] if len(best) == 1 else "",
    }
    if "strength" in answer:
        found[f"{name}_strength"] = answer["strength"]
    return found | ({f"{name}_reasons": answer["reasons"]} if "reasons" in answer else {})


def describe(
    field: Mapping[str, Any], answer: Mapping[str, Any], named: Callable[[Mapping[str, Any]], str]
) -> str:
    """ "r2 > r1 = r3, much better": responses by id, since their places differ from person to person."""
    words = [" > ".join(" = ".join(group) for group in answer["ranking"])]
    if answer.get("strength"):
        words.append(label_lists.named_or_id(field.get("strengths", ()), answer["strength"], named))
    words += [
        label_lists.named_or_id(field.get("reasons", ()), one, named) for one in answer.get("reasons", ())
    ]
    return ", ".join(words)


def from_form(field: Mapping[str, Any], sent: Callable[[str], list[str]]) -> dict[str, Any]:
    """A place for each response: field.RESPONSE = 1, 2 ...; equal places tie. field.strength, field.reasons."""
    name = field["name"]
    by_place: dict[int, list[str]] = {}
    for key in sent(f"{name}.responses"):
        place = next(iter(sent(f"{name}.{key}")), "")
        by_place.setdefault(int(place) if place.isdecimal() and len(place) < 4 else 999, []).append(key)
    found: dict[str, Any] = {"ranking": [by_place[place] for place in sorted(by_place)]}
    if strength := next(iter(sent(f"{name}.strength")), ""):
        found["strength"] = strength
    return found | ({"reasons": reasons} if (reasons := sent(f"{name}.reasons")) else {})
