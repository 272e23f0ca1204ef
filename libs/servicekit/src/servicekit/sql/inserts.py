"""Inserts of many rows, again and again: what SQLAlchemy works out anew for each row is worked out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Insert

KEPT = 64
"""Statements, each with the columns of its rows."""
Row = Mapping[str, Any]


class PreparedInsert:
    """An insert as its database spells it, for rows that all have these columns."""

    def __init__(self, statement: Insert, dialect: Dialect, columns: Sequence[str]) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(columns))
        self._sql = str(compiled)
        self._constants = {name: value for name, value in compiled.params.items() if name not in columns}
        self._conversions: list[tuple[str, Callable[[Any], Any]]] = []
        for bound, name in compiled.bind_names.items():
            convert = bound.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                self._conversions.append((name, convert))
        places = compiled.positiontup
        self._in_order = (
            None if places is None else itemgetter(*places, *places[:1])
        )  # of one name it would be no tuple

    def execute(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert them."""
        connection.exec_driver_sql(self._sql, [self._values(row) for row in rows])

    def _values(self, row: Row) -> Any:
        values = {**self._constants, **row}
        for name, convert in self._conversions:
            values[name] = convert(values[name])
        return values if self._in_order is None else self._in_order(values)[:-1]


@lru_cache(maxsize=KEPT)
def prepared(statement: Insert, dialect: Dialect, columns: tuple[str, ...]) -> PreparedInsert:
    """The same one for the same statement and columns."""
    return PreparedInsert(statement, dialect, columns)
