"""The database: its size, and what holds it up."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from django.db import connection

from config.kernel.language.facts import Fact
from config.kernel.plugins.samplers import Sampler, samplers

SIZE = Fact("database_size", unit="bytes", about="What the database takes on its disk.")
POSTGRES = (
    SIZE,
    Fact("database_connections", about="Connections to this database."),
    Fact("database_connections_usage", unit="%", about="Connections to the whole server, of those it allows."),
    Fact("database_longest_transaction", unit="s", about="Age of the oldest open transaction; 0 when none is open."),
)
SQLITE = (SIZE, Fact("database_wal_size", unit="bytes", about="The write-ahead log beside the file."))
ASKED = """
    SELECT pg_database_size(current_database()),
           count(*) FILTER (WHERE datname = current_database()),
           count(*) * 100.0 / current_setting('max_connections')::float,
           coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
                    FILTER (WHERE datname = current_database() AND pid <> pg_backend_pid()), 0)
    FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


class Database(Sampler):
    """PostgreSQL is asked in one statement, SQLite's files are looked at."""

    title = "Database"

    def facts(self) -> Sequence[Fact]:
        """By the database that is in use."""
        return POSTGRES if connection.vendor == "postgresql" else SQLITE

    def measure(self) -> Mapping[str, float | None]:
        """Raises django.db.Error when the database does not answer."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(ASKED)
                row = cursor.fetchone() or ()
            return {fact.name: float(value) for fact, value in zip(POSTGRES, row, strict=True)}
        file = Path(connection.settings_dict["NAME"])
        log = file.with_name(f"{file.name}-wal")
        return {"database_size": file.stat().st_size, "database_wal_size": log.stat().st_size if log.exists() else 0}


samplers.register("automation.database", Database(), module=__name__)
