"""The statements that a store in SQLite is sent, as its connections saw them."""

import sqlite3

import pytest

from handfast.stores.sqlite import SqliteDatabase


def told_statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that fills with what is sent over every connection that is opened from now on."""
    told: list[str] = []
    connect = SqliteDatabase._connect

    def traced(database: SqliteDatabase) -> sqlite3.Connection:
        connection = connect(database)
        connection.set_trace_callback(told.append)
        return connection

    monkeypatch.setattr(SqliteDatabase, "_connect", traced)
    return told
