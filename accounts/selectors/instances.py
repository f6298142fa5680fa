"""Model instances from the rows of one statement, as `QuerySet` makes them, with what can be known beforehand
found out once.

Django calls `Model.__init__` for each, which looks at every field and sends two signals: with a project, a slot,
an item and a suggestion in each answer that was a fifth of what an answer took.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db.models import Model, signals
from django.db.models.base import ModelState
from django.db.models.query import RelatedPopulator, get_related_populators

Make = Callable[[Sequence[Any]], Model]


class Reader:
    """How the rows of a compiled query of models become instances, those of `select_related` with them."""

    def __init__(self, compiler: Any) -> None:
        alias, info, select = compiler.connection.alias, compiler.klass_info, compiler.select
        first, last = info["select_fields"][0], info["select_fields"][-1] + 1
        self.columns = slice(first, last)
        names = [column[0].target.attname for column in select[first:last]]
        self.make = maker(info["model"], names, alias)
        self.related = [_Related(one) for one in get_related_populators(info, select, alias)]
        self.annotations = list((compiler.annotation_col_map or {}).items())

    def instance(self, row: Sequence[Any]) -> Any:
        made = self.make(row[self.columns])
        for related in self.related:
            related.join(made, row)
        for name, column in self.annotations:
            setattr(made, name, row[column])
        return made


class _Related:
    """What `select_related` loads beside an instance, through a plain foreign key."""

    def __init__(self, populator: RelatedPopulator) -> None:
        assert populator.reorder_for_init is None, "a model with a parent model is not read this way"
        self.columns = slice(populator.cols_start, populator.cols_end)
        self.pk = populator.cols_start + populator.pk_idx
        self.make = maker(populator.model_cls, populator.init_list, populator.db)
        self.set_here, self.set_there = populator.local_setter, populator.remote_setter
        self.related = [_Related(one) for one in populator.related_populators]

    def join(self, to: Model, row: Sequence[Any]) -> None:
        if row[self.pk] is None:
            self.set_here(to, None)
            return
        made = self.make(row[self.columns])
        for related in self.related:
            related.join(made, row)
        self.set_here(to, made)
        self.set_there(made, to)


def maker(model: type[Model], names: Sequence[str], alias: str) -> Make:
    """A function from the values of the fields `names` to an instance that came from the database; the others
    are deferred. Where somebody wants to know of new instances, it is Django's own.
    """
    is_plain = model.from_db.__func__ is Model.from_db.__func__ and model.__init__ is Model.__init__  # type: ignore[attr-defined,misc]
    if not is_plain or signals.pre_init.has_listeners(model) or signals.post_init.has_listeners(model):
        return partial(model.from_db, alias, names)

    def make(values: Sequence[Any]) -> Model:
        made = model.__new__(model)
        state = ModelState()
        state.adding, state.db = False, alias
        made.__dict__.update(zip(names, values, strict=True), _state=state)
        return made

    return make
