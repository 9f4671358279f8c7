"""What pipeline steps left, by the digest of their inputs: a step whose key is here is not run again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from isocenter.domain.run import RunId
from isocenter.storage import schema
from isocenter.storage.database import Database


class StepCache:
    """Results of finished steps.

    Args:
        database: from :func:`isocenter.storage.database.open_database`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The outputs of the step with this key; None if it has not been done."""
        table = schema.step_results.c
        with self._database.read() as connection:
            found: Mapping[str, Any] | None = connection.execute(
                select(table.outputs).where(table.key == key)
            ).scalar()
        return found

    def put(self, key: str, step: str, outputs: Mapping[str, Any], run: RunId | None = None) -> None:
        """Keep a finished step's outputs (JSON); a newer result of the same key replaces the older."""
        row = {
            "key": key,
            "step": step,
            "outputs": dict(outputs),
            "run": run,
            "created_at": datetime.now(UTC),
        }
        statement = self._database.upsert(schema.step_results).values(row)
        statement = statement.on_conflict_do_update(index_elements=["key"], set_=row)
        with self._database.write() as connection:
            connection.execute(statement)
