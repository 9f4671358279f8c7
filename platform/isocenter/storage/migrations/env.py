"""Alembic's environment: runs on the connection that :mod:`isocenter.storage.migration` hands over."""

from alembic import context

from isocenter.storage.schema import metadata


def _run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


_run()
