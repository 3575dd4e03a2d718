"""Logins, activation links, what the protocol remembers, and marks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes these tables."""
    op.create_table(
        "inventory",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("strays", sa.Integer(), nullable=False),
        sa.Column("examples", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("inventory_pkey")),
    )
    op.create_table(
        "login_try",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("failures", sa.Float(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("login_try_pkey")),
    )
    op.create_index("login_try_failed_at", "login_try", ["failed_at"], unique=False)
    op.create_table(
        "mark",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unsure_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("target", "kind", "id", name=op.f("mark_pkey")),
    )
    op.create_table(
        "revoked_token",
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["client.id"], name=op.f("revoked_token_client_fkey")),
        sa.PrimaryKeyConstraint("jti", name=op.f("revoked_token_pkey")),
    )
    op.create_index("revoked_token_expires_at", "revoked_token", ["expires_at"], unique=False)
    op.create_table(
        "setback",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("setback_pkey")),
    )
    op.create_table(
        "source_cursor",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("cursor", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("source_cursor_pkey")),
    )
    op.create_table(
        "source_rejection",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("fonte", sa.String(), nullable=False),
        sa.Column("numero", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("source", "fonte", "numero", name=op.f("source_rejection_pkey")),
    )
    op.create_table(
        "watermark",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("watermark_pkey")),
    )
    op.create_table(
        "activation",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("pessoa", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("epoch > 0", name=op.f("activation_epoch_check")),
        sa.ForeignKeyConstraint(["pessoa"], ["pessoa.id"], name=op.f("activation_pessoa_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("activation_pkey")),
        sa.UniqueConstraint("digest", name=op.f("activation_digest_key")),
    )
    op.create_index("activation_pessoa", "activation", ["pessoa"], unique=False)
    op.create_table(
        "conta",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("pessoa", sa.String(length=64), nullable=False),
        sa.Column("id_no_destino", sa.String(), nullable=False),
        sa.Column("vista_em", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["pessoa"], ["pessoa.id"], name=op.f("conta_pessoa_fkey")),
        sa.PrimaryKeyConstraint("target", "pessoa", name=op.f("conta_pkey")),
    )
    op.create_table(
        "login_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("pessoa", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("acr", sa.String(), nullable=False),
        sa.Column("amr", sa.JSON(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=True),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("listed", sa.String(), nullable=True),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("user_agent", sa.String(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.CheckConstraint("acr IN ('provisoria', 'senha', 'mfa', 'icp-brasil')", name=op.f("login_session_acr_check")),
        sa.CheckConstraint("epoch > 0", name=op.f("login_session_epoch_check")),
        sa.ForeignKeyConstraint(["pessoa"], ["pessoa.id"], name=op.f("login_session_pessoa_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("login_session_pkey")),
        sa.UniqueConstraint("digest", name=op.f("login_session_digest_key")),
    )
    op.create_index("login_session_pessoa", "login_session", ["pessoa"], unique=False)
    op.create_table(
        "consent",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("pessoa", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["client"], ["client.id"], name=op.f("consent_client_fkey")),
        sa.ForeignKeyConstraint(["pessoa"], ["pessoa.id"], name=op.f("consent_pessoa_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("consent_pkey")),
    )
    op.create_index("consent_pessoa_client", "consent", ["pessoa", "client"], unique=False)
    op.create_table(
        "authorization",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sujeito", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("vinculo", sa.String(length=64), nullable=True),
        sa.Column("sistema", sa.String(), nullable=False),
        sa.Column("perfil", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=True),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("authorization_details", sa.JSON(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("acr", sa.String(), nullable=False),
        sa.Column("amr", sa.JSON(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("consent", sa.String(length=64), nullable=True),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sujeito_epoch", sa.Integer(), nullable=False),
        sa.Column("vinculo_epoch", sa.Integer(), nullable=False),
        sa.Column("client_epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("sujeito_epoch > 0 AND client_epoch > 0", name=op.f("authorization_epoch_check")),
        sa.ForeignKeyConstraint(["client"], ["client.id"], name=op.f("authorization_client_fkey")),
        sa.ForeignKeyConstraint(["consent"], ["consent.id"], name=op.f("authorization_consent_fkey")),
        sa.ForeignKeyConstraint(["session"], ["login_session.id"], name=op.f("authorization_session_fkey")),
        sa.ForeignKeyConstraint(["sujeito"], ["sujeito.id"], name=op.f("authorization_sujeito_fkey")),
        sa.ForeignKeyConstraint(["vinculo"], ["vinculo.id"], name=op.f("authorization_vinculo_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("authorization_pkey")),
    )
    op.create_index("authorization_session", "authorization", ["session"], unique=False)
    op.create_index("authorization_sujeito", "authorization", ["sujeito"], unique=False)
    op.create_table(
        "interaction",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=True),
        sa.Column("vinculo", sa.String(length=64), nullable=True),
        sa.Column("perfil", sa.String(), nullable=True),
        sa.Column("consented", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["client"], ["client.id"], name=op.f("interaction_client_fkey")),
        sa.ForeignKeyConstraint(["session"], ["login_session.id"], name=op.f("interaction_session_fkey")),
        sa.ForeignKeyConstraint(["vinculo"], ["vinculo.id"], name=op.f("interaction_vinculo_fkey")),
        sa.PrimaryKeyConstraint("digest", name=op.f("interaction_pkey")),
    )
    op.create_index("interaction_expires_at", "interaction", ["expires_at"], unique=False)
    op.create_table(
        "authorization_code",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("authorization", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("code_challenge", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["authorization"], ["authorization.id"], name=op.f("authorization_code_authorization_fkey")
        ),
        sa.ForeignKeyConstraint(["client"], ["client.id"], name=op.f("authorization_code_client_fkey")),
        sa.PrimaryKeyConstraint("digest", name=op.f("authorization_code_pkey")),
    )
    op.create_index(op.f("authorization_code_authorization"), "authorization_code", ["authorization"], unique=False)
    op.create_index("authorization_code_expires_at", "authorization_code", ["expires_at"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("authorization", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["authorization"], ["authorization.id"], name=op.f("refresh_token_authorization_fkey")),
        sa.ForeignKeyConstraint(["client"], ["client.id"], name=op.f("refresh_token_client_fkey")),
        sa.PrimaryKeyConstraint("digest", name=op.f("refresh_token_pkey")),
    )
    op.create_index("refresh_token_authorization", "refresh_token", ["authorization", "expires_at"], unique=False)


def downgrade() -> None:
    """Nothing regulated is dropped: an older version is served by a restored copy."""
    raise NotImplementedError
