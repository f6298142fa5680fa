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
from functools import cache, wraps
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.db.models.expressions import Expression
from django.db.models.query import ModelIterable, QuerySet
from django.db.models.sql import UpdateQuery

from accounts.selectors.instances import Reader

M = TypeVar("M", bound=models.Model)
P = ParamSpec("P")


class given(Expression):  # noqa: N801 (reads as a word in a query)
    """The place of a value that each call brings; the field `kind` turns it into what the database takes."""

    def __init__(self, name: str, kind: models.Field | None = None) -> None:
        super().__init__(output_field=kind)
        self.name, self.kind = name, kind

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def value(self, values: dict[str, Any], connection: Any) -> Any:
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
    """One statement, ready for one connection."""

    def __init__(self, queryset: QuerySet[M], **changes: Any) -> None:
        if changes:
            query = queryset.query.chain(UpdateQuery)
            query.add_update_values(changes)
        else:
            query = queryset.query
        self.connection: Any = connections[DEFAULT_DB_ALIAS]
        self.compiler: Any = query.get_compiler(connection=self.connection)
        self.sql, self.params = _with_literals(*self.compiler.as_sql())
        if not changes:
            converters = self.compiler.get_converters([column[0] for column in self.compiler.select])
            self.converters = [(place, *found) for place, found in converters.items()]
            self.of_models = issubclass(queryset._iterable_class, ModelIterable)
            self.reader = Reader(self.compiler) if self.of_models else None

    def _bound(self, values: dict[str, Any]) -> tuple[Any, ...]:
        return tuple([p.value(values, self.connection) if isinstance(p, given) else p for p in self.params])

    def rows(self, **values: Any) -> list[Any]:
        """The selected columns, converted."""
        found = fetched(self.connection, self.sql, self._bound(values))
        return [self._converted(row) for row in found] if self.converters else found

    def _converted(self, row: Sequence[Any]) -> tuple[Any, ...]:
        cells = list(row)
        for place, converters, expression in self.converters:
            cell = cells[place]
            for convert in converters:
                cell = convert(cell, expression, self.connection)
            cells[place] = cell
        return tuple(cells)

    def all(self, **values: Any) -> list[M]:
        """Model instances, as the queryset would give them."""
        assert self.reader is not None, "a statement of values has no instances"
        return [self.reader.instance(row) for row in self.rows(**values)]

    def first(self, **values: Any) -> Any:
        """The first instance, or the first row's columns (one column: its value); None without a row."""
        found = self.rows(**values)
        if not found:
            return None
        if self.reader is not None:
            return self.reader.instance(found[0])
        return found[0] if len(found[0]) > 1 else found[0][0]

    def run(self, **values: Any) -> int:
        """Run an update; the number of rows changed."""
        return changed(self.connection, self.sql, self._bound(values))


def fetched(connection: Any, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement, as the database gives them. Our SQLite backend has a shorter way than Django's
    cursors, for when nobody listens to them.
    """
    quick = getattr(connection, "quickly", None)
    cursor = quick(sql, params) if quick is not None else None
    if cursor is not None:
        return list(cursor.fetchall())
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def changed(connection: Any, sql: str, params: Sequence[Any]) -> int:
    """The number of rows that a statement changes."""
    quick = getattr(connection, "quickly", None)
    cursor = quick(sql, params) if quick is not None else None
    if cursor is not None:
        return int(cursor.rowcount)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def _once(build: Callable[P, Prepared[M]]) -> Callable[P, Prepared[M]]:
    """One `Prepared` for each thread, connection and arguments."""
    kept = threading.local()

    @wraps(build)
    def get(*args: P.args, **kwargs: P.kwargs) -> Prepared[M]:
        key = (connections[DEFAULT_DB_ALIAS], args, tuple(kwargs.items()))
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
    quoted = connections[DEFAULT_DB_ALIAS].ops.quote_name
    columns = ", ".join(quoted(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) VALUES ({marks})", fields


def _cells(row: models.Model, fields: Sequence[models.Field], connection: Any) -> list[Any]:
    """What is stored of the row, in the order of its fields. A plain value of a field that neither makes it
    itself nor writes it in a way of its own is taken as it stands.
    """
    cells, own = [], row.__dict__
    for field in fields:
        value = own.get(field.attname)
        if type(value) in _PLAIN and isinstance(field, _AS_IT_STANDS):
            cells.append(value)
        else:
            cells.append(field.get_db_prep_save(field.pre_save(row, True), connection))
    return cells


_PLAIN = (int, str, float, bool)
_AS_IT_STANDS = (
    *(models.ForeignKey, models.CharField, models.TextField, models.BooleanField),
    *(models.IntegerField, models.FloatField),
)


def insert_many(rows: Sequence[models.Model], *, on_conflict: str = "") -> None:
    """Store new rows of one model, as `bulk_create` would without telling their keys, and faster: in one
    transaction, which begins when all is ready to be written. `on_conflict`: what SQL says behind these words.
    """
    if not rows:
        return
    connection = connections[DEFAULT_DB_ALIAS]
    sql, fields = _insert(type(rows[0]), connection.vendor)
    cells = [_cells(row, fields, connection) for row in rows]
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.executemany(f"{sql} ON CONFLICT {on_conflict}" if on_conflict else sql, cells)


def insert(row: M) -> M:
    """Store a new row as `save(force_insert=True)` would, with a statement built once a model and no signals."""
    connection = connections[DEFAULT_DB_ALIAS]
    sql, fields = _insert(type(row), connection.vendor)
    returning = f"{sql} RETURNING {connection.ops.quote_name(row._meta.pk.column)}"
    row.pk = fetched(connection, returning, _cells(row, fields, connection))[0][0]
    row._state.adding, row._state.db = False, connection.alias
    return row
