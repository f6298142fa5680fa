"""Statements that are built once in a process and then only bound, for the few that every answer of every
annotator runs.

Django takes ten times longer to build and compile such a query than SQLite takes to answer it. The query is
still written with the ORM; what changes from call to call stands in it as `given("name")`:

    @prepared
    def _newest(limit: int) -> QuerySet[Slot]:
        return Slot.objects.filter(project=given("project")).order_by("-pk")[:limit]

    slots = _newest(3).all(project=project.pk)

Arguments of the function shape the statement (a limit, a switch) and are few; values are bound. They must be as
the column holds them: a primary key, not the object. A time or a uuid names its type in `given`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial, wraps
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import connection, models
from django.db.models.expressions import Expression
from django.db.models.query import ModelIterable, QuerySet, get_related_populators
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=models.Model)
P = ParamSpec("P")


class given(Expression):  # noqa: N801 (reads as a word in a query)
    """The place of a value that each call brings; the field `kind` turns it into what the database takes."""

    def __init__(self, name: str, kind: models.Field | None = None) -> None:
        super().__init__(output_field=kind)
        self.name, self.kind = name, kind

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def value(self, values: dict[str, Any]) -> Any:
        found = values[self.name]
        return found if self.kind is None else self.kind.get_db_prep_value(found, connection)


def numbered_places(count: int) -> list[given]:
    """The places of a list of `count` values, which `numbered` gives, for `column__in` or `relation__pk__in`."""
    return [given(f"n{number}") for number in range(count)]


def numbered(values: Iterable[Any]) -> dict[str, Any]:
    return {f"n{number}": value for number, value in enumerate(values)}


def _with_literals(sql: str, params: Iterable[Any]) -> tuple[str, list[Any]]:
    """Write plain constants (a state, a flag) into the statement: SQLite sees that a partial index fits only
    where its condition stands in the text; with a bound constant it plans the statement anew at each call.
    """
    texts, places, kept = sql.split("%s"), [], []
    for param in params:
        is_word = isinstance(param, str) and _WORD.fullmatch(param)
        literal = f"'{param}'" if is_word else str(param) if type(param) is int else "%s"
        places.append(literal)
        if literal == "%s":
            kept.append(param)
    return "".join(text + place for text, place in zip(texts, [*places, ""], strict=True)), kept


_WORD = re.compile(r"[A-Za-z0-9_-]*")


class Prepared(Generic[M]):
    """One statement, ready for one connection's kind of database."""

    def __init__(self, queryset: QuerySet[M], **changes: Any) -> None:
        if changes:
            query = queryset.query.chain(UpdateQuery)
            query.add_update_values(changes)
        else:
            query = queryset.query
        self.compiler: Any = query.get_compiler(connection=connection)
        self.sql, self.params = _with_literals(*self.compiler.as_sql())
        if not changes:
            self._learn(queryset)

    def _learn(self, queryset: QuerySet[M]) -> None:
        compiler = self.compiler
        self.converters = compiler.get_converters([column[0] for column in compiler.select])
        self.of_models = issubclass(queryset._iterable_class, ModelIterable)
        if not self.of_models:
            return
        info = compiler.klass_info
        first, last = info["select_fields"][0], info["select_fields"][-1] + 1
        names = [column[0].target.attname for column in compiler.select[first:last]]
        self.make = partial(info["model"].from_db, connection.alias, names)
        self.columns = slice(first, last)
        self.related = get_related_populators(info, compiler.select, connection.alias)
        self.annotations = list((compiler.annotation_col_map or {}).items())

    def _bound(self, values: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(p.value(values) if isinstance(p, given) else p for p in self.params)

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """The selected columns, converted."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self._bound(values))
            found = cursor.fetchall()
        if self.converters and found:
            return list(self.compiler.apply_converters(found, self.converters))
        return found

    def all(self, **values: Any) -> list[M]:
        """Model instances, as the queryset would give them."""
        return [self._instance(row) for row in self.rows(**values)]

    def first(self, **values: Any) -> Any:
        """The first instance, or the first row's columns (one column: its value); None without a row."""
        found = self.rows(**values)
        if not found:
            return None
        if self.of_models:
            return self._instance(found[0])
        return found[0] if len(found[0]) > 1 else found[0][0]

    def _instance(self, row: Any) -> M:
        made = self.make(row[self.columns])
        for populator in self.related:
            populator.populate(row, made)
        for name, column in self.annotations:
            setattr(made, name, row[column])
        return made

    def run(self, **values: Any) -> int:
        """Run an update; the number of rows changed."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self._bound(values))
            return int(cursor.rowcount)


def _once(build: Callable[P, Prepared[M]]) -> Callable[P, Prepared[M]]:
    """One `Prepared` for each thread, kind of database and arguments."""
    kept = threading.local()

    @wraps(build)
    def get(*args: P.args, **kwargs: P.kwargs) -> Prepared[M]:
        key = (connection.vendor, args, tuple(kwargs.items()))
        found = kept.__dict__.get(key)
        if found is None:
            found = kept.__dict__[key] = build(*args, **kwargs)
        return found

    return get


def prepared(build: Callable[P, QuerySet[M]]) -> Callable[P, Prepared[M]]:
    """Make a function that gives a queryset with `given` values give its prepared statement."""
    return _once(wraps(build)(lambda *args, **kwargs: Prepared(build(*args, **kwargs))))


def prepared_update(**changes: Any) -> Callable[[Callable[P, QuerySet[M]]], Callable[P, Prepared[M]]]:
    """As `prepared`, for `queryset.update(**changes)`; call `run` on it."""

    def decorate(build: Callable[P, QuerySet[M]]) -> Callable[P, Prepared[M]]:
        return _once(wraps(build)(lambda *args, **kwargs: Prepared(build(*args, **kwargs), **changes)))

    return decorate


@cache
def _insert(model: type[models.Model], vendor: str) -> tuple[str, list[models.Field]]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) VALUES ({marks})", fields


def insert_many(rows: Sequence[models.Model]) -> None:
    """Store new rows of one model, as `bulk_create` would without telling their keys, and faster."""
    if not rows:
        return
    sql, fields = _insert(type(rows[0]), connection.vendor)
    values = [
        [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields] for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


def insert(row: M) -> M:
    """Store a new row as `save(force_insert=True)` would, with a statement built once a model and no signals."""
    sql, fields = _insert(type(row), connection.vendor)
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} RETURNING {connection.ops.quote_name(row._meta.pk.column)}", values)
        row.pk = cursor.fetchone()[0]
    row._state.adding, row._state.db = False, connection.alias
    return row
