"""What Alembic runs: every revision over the connection that :func:`iam.migrations.upgrade` holds, in its transaction."""

from __future__ import annotations

from alembic import context

from iam.migrations import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
