"""Inserts two rows, the second of which points to the first, in one statement. For the one place where round trips count: intake."""

from collections.abc import Iterator
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections, models, transaction


def insert_pair(first: models.Model, second: models.Model, *, link: str) -> None:
    """Insert `first`, then `second` with its foreign key `link` set to it; both or none. Sets both primary keys.

    One statement and no transaction around it where the database can (PostgreSQL), else two in a transaction.
    Raises IntegrityError when a constraint forbids one of them. Signals of models are not sent.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        with transaction.atomic():
            first.save_base(raw=True, force_insert=True)
            setattr(second, link, first)
            second.save_base(raw=True, force_insert=True)
        return
    values = [*_values(first, "", database), *_values(second, link, database)]
    first.pk, second.pk = _run(database, _statement(type(first), type(second), link), values)
    setattr(second, link, first)
    for row in (first, second):
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _run(database: Any, statement: str, values: list[Any]) -> Any:
    """Its only row. The statement itself finds out whether a kept connection still stands; if not, it goes over a new one."""
    database.health_check_done = True
    try:
        return _row(database, statement, values)
    except (OperationalError, InterfaceError):
        if database.in_atomic_block or database.is_usable():
            raise
        database.close()
        return _row(database, statement, values)


def _row(database: Any, statement: str, values: list[Any]) -> Any:
    # Alone the statement is a transaction by itself; inside one, a savepoint keeps a refusal from ending it.
    with transaction.atomic() if database.in_atomic_block else nullcontext(), database.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()


def _values(row: models.Model, link: str, database: Any) -> Iterator[Any]:
    return (field.get_db_prep_save(field.pre_save(row, True), database) for field in _fields(type(row), link))


@lru_cache(maxsize=16)
def _fields(model: type[models.Model], link: str) -> tuple[Any, ...]:
    """What is written: all columns but the primary key and the link."""
    return tuple(field for field in model._meta.concrete_fields if not field.primary_key and field.name != link)


@lru_cache(maxsize=16)
def _statement(first: type[models.Model], second: type[models.Model], link: str) -> str:
    """Both inserts as one. Made of the names of models and columns, which nobody outside can choose."""
    quote = connections[DEFAULT_DB_ALIAS].ops.quote_name
    tables = [quote(model._meta.db_table) for model in (first, second)]
    columns = [", ".join(quote(field.column) for field in _fields(*one)) for one in ((first, ""), (second, link))]
    marks = [", ".join(["%s"] * len(_fields(*one))) for one in ((first, ""), (second, link))]
    pointer: Any = second._meta.get_field(link)
    return (
        f"WITH first AS (INSERT INTO {tables[0]} ({columns[0]}) VALUES ({marks[0]}) RETURNING id), "  # noqa: S608
        f"second AS (INSERT INTO {tables[1]} ({columns[1]}, {quote(pointer.column)}) "
        f"SELECT {marks[1]}, first.id FROM first RETURNING id) SELECT first.id, second.id FROM first, second"
    )
