"""The marks that come first are found without looking at all of them."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the index."""
    op.create_index("mark_due", "mark", ["target", "due", "not_before"], unique=False)


def downgrade() -> None:
    """Nothing regulated is dropped: an older version is served by a restored copy."""
    raise NotImplementedError
