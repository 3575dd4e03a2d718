"""What is known of revocation lists outlives a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "revocation_list",
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("points", sa.String(), nullable=False),
        sa.Column("this_update", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "points", name=op.f("revocation_list_pkey")),
    )


def downgrade() -> None:
    """Nothing regulated is dropped: an older version is served by a restored copy."""
    raise NotImplementedError
