"""The journal is searched by article and act through one index, however long it is."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The new index takes the place of the one by requirement."""
    op.create_index("entry_ground", "entry", ["requirement", "article", "ato", "at", "id"], unique=False)
    op.drop_index("entry_requirement", table_name="entry")


def downgrade() -> None:
    """Nothing regulated is dropped: an older version is served by a restored copy."""
    raise NotImplementedError
