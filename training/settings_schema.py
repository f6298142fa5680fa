"""Settings that are frozen dataclasses: reading them from JSON, and telling a form what they are.

Learners and strategies declare their settings as dataclasses with defaults; forms, the API and commands are
made from those, so that a new setting is written down once.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from accounts.sentences import Sentence, SentenceError
from accounts.sentences import gettext_noop as _

_WORDS: dict[type, str] = {
    int: _("a whole number"),
    float: _("a number"),
    str: _("text"),
    bool: _("yes or no"),
}
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One field of a settings dataclass, as a form needs it. `kind`: bool, int, float, str or choice."""

    name: str
    kind: str
    default: Any
    choices: tuple[str, ...] = ()


def describe(settings_class: type) -> list[Setting]:
    """The fields of a settings dataclass in their order; only what a form can show (see `Setting.kind`)."""
    hints = get_type_hints(settings_class)
    found = []
    for entry in fields(settings_class):
        hint = hints[entry.name]
        default = entry.default if entry.default is not MISSING else None
        if get_origin(hint) is Literal:
            choices = tuple(str(choice) for choice in get_args(hint))
            found.append(Setting(name=entry.name, kind="choice", default=default, choices=choices))
        elif hint in _WORDS:
            found.append(Setting(name=entry.name, kind=hint.__name__, default=default))
    return found


def read(settings_class: type, given: dict[str, Any]) -> Any:
    """An instance of `settings_class` from JSON or form values; what is left out has its default.

    Raises:
        ValueError: a name that the class has not, a value of another kind, or one that the class itself
        refuses.
    """
    known = {setting.name: setting for setting in describe(settings_class)}
    if unknown := sorted(set(given) - set(known)):
        names = ", ".join(known) or "none"
        raise SentenceError(
            _("there is no setting %(unknown)s here: the settings are %(names)s"),
            unknown=", ".join(unknown),
            names=names,
        )
    return settings_class(**{name: _value(known[name], value) for name, value in given.items()})


def _value(setting: Setting, value: Any) -> Any:
    if setting.kind == "choice":
        if value not in setting.choices:
            raise SentenceError(
                _("%(name)s: found %(value)s, expected one of %(choices)s"),
                name=setting.name,
                value=repr(value),
                choices=", ".join(setting.choices),
            )
        return value
    turned = {"bool": _bool, "int": _int, "float": _float, "str": _str}[setting.kind](value)
    if turned is None:
        expected = {kind.__name__: words for kind, words in _WORDS.items()}[setting.kind]
        raise SentenceError(
            _("%(name)s: found %(value)s, expected %(expected)s"),
            name=setting.name,
            value=repr(value),
            expected=Sentence(expected),
        )
    return turned


def _bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _int(value: Any) -> int | None:
    number = _float(value)
    return int(number) if number is not None and number == int(number) else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number - number == 0 else None  # neither infinite nor NaN


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None
