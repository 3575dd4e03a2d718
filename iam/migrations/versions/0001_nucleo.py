"""Who rights rest on, what they hold, what happened to them, and the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes these tables."""
    op.create_table(
        "entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ato", sa.String(), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("obj", sa.String(), nullable=False),
        sa.Column("pack", sa.String(), nullable=False),
        sa.Column("requirement", sa.String(), nullable=False),
        sa.Column("article", sa.String(), nullable=False),
        sa.Column("agente", sa.String(), nullable=False),
        sa.Column("pessoa", sa.String(), nullable=True),
        sa.Column("sistema", sa.String(), nullable=True),
        sa.Column("jti", sa.String(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("entry_pkey")),
    )
    op.create_index("entry_agente", "entry", ["agente", "id"], unique=False)
    op.create_index("entry_at", "entry", ["at"], unique=False)
    op.create_index("entry_pessoa", "entry", ["pessoa", "id"], unique=False)
    op.create_index("entry_requirement", "entry", ["requirement", "id"], unique=False)
    op.create_index("entry_sistema", "entry", ["sistema", "id"], unique=False)
    op.create_table(
        "key",
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("use", sa.String(), nullable=False),
        sa.Column("public", sa.JSON(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("predecessor", sa.String(), nullable=True),
        sa.Column("endorsement", sa.String(), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("use IN ('token', 'checkpoint', 'receipt')", name=op.f("key_use_check")),
        sa.ForeignKeyConstraint(["predecessor"], ["key.kid"], name=op.f("key_predecessor_fkey")),
        sa.PrimaryKeyConstraint("kid", name=op.f("key_pkey")),
    )
    op.create_index(
        "key_live",
        "key",
        ["use"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("jws", sa.String(), nullable=False),
        sa.CheckConstraint("previous < seq", name=op.f("checkpoint_previous_check")),
        sa.ForeignKeyConstraint(["kid"], ["key.kid"], name=op.f("checkpoint_kid_fkey")),
        sa.PrimaryKeyConstraint("seq", name=op.f("checkpoint_pkey")),
    )
    op.create_table(
        "sujeito",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('pessoa', 'orgao', 'client')", name=op.f("sujeito_kind_check")),
        sa.CheckConstraint("epoch > 0 AND version > 0", name=op.f("sujeito_epoch_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("sujeito_pkey")),
    )
    op.create_table(
        "credencial",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sujeito", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("segredo", sa.LargeBinary(), nullable=True),
        sa.Column("impressao", sa.String(), nullable=True),
        sa.Column("subject_dn", sa.String(), nullable=True),
        sa.Column("provisoria", sa.Boolean(), nullable=False),
        sa.Column("criada_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expira_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("encerrada_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passo", sa.Integer(), nullable=False),
        sa.Column("falhas", sa.Integer(), nullable=False),
        sa.Column("falhou_em", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('senha', 'totp', 'certificado')", name=op.f("credencial_kind_check")),
        sa.ForeignKeyConstraint(["sujeito"], ["sujeito.id"], name=op.f("credencial_sujeito_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("credencial_pkey")),
    )
    op.create_index("credencial_impressao", "credencial", ["impressao"], unique=False)
    op.create_index(
        "credencial_impressao_vigente",
        "credencial",
        ["impressao"],
        unique=True,
        sqlite_where=sa.text("encerrada_em IS NULL"),
        postgresql_where=sa.text("encerrada_em IS NULL"),
    )
    op.create_index("credencial_sujeito", "credencial", ["sujeito"], unique=False)
    op.create_table(
        "orgao",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("nome", sa.String(), nullable=False),
        sa.Column("uf", sa.String(), nullable=True),
        sa.Column("tz", sa.String(), nullable=False),
        sa.Column("superior", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["sujeito.id"], name=op.f("orgao_id_fkey")),
        sa.ForeignKeyConstraint(["superior"], ["orgao.id"], name=op.f("orgao_superior_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orgao_pkey")),
    )
    op.create_table(
        "pessoa",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("cpf", sa.String(), nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("nome", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("estado", sa.String(), nullable=False),
        sa.Column("origem", sa.String(), nullable=False),
        sa.Column("registrada_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cortada_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("login_epoch", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "estado IN ('cadastrada', 'habilitada', 'desabilitada', 'revogada', 'falecida')",
            name=op.f("pessoa_estado_check"),
        ),
        sa.CheckConstraint("login_epoch > 0", name=op.f("pessoa_epoch_check")),
        sa.ForeignKeyConstraint(["id"], ["sujeito.id"], name=op.f("pessoa_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pessoa_pkey")),
        sa.UniqueConstraint("cpf", name=op.f("pessoa_cpf_key")),
        sa.UniqueConstraint("login", name=op.f("pessoa_login_key")),
    )
    op.create_table(
        "seal",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prev", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("seal_entry_id_fkey")),
        sa.PrimaryKeyConstraint("seq", name=op.f("seal_pkey")),
        sa.UniqueConstraint("entry_id", name=op.f("seal_entry_id_key")),
    )
    op.create_table(
        "client",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("nome", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("auth", sa.String(), nullable=False),
        sa.Column("orgao", sa.String(length=64), nullable=True),
        sa.Column("sistema", sa.String(), nullable=True),
        sa.Column("subject_dn", sa.String(), nullable=True),
        sa.Column("redirect_uris", sa.JSON(), nullable=False),
        sa.Column("post_logout_redirect_uris", sa.JSON(), nullable=False),
        sa.Column("grant_types", sa.JSON(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("estado", sa.String(), nullable=False),
        sa.CheckConstraint("auth IN ('tls_client_auth', 'none')", name=op.f("client_auth_check")),
        sa.CheckConstraint("estado IN ('ativo', 'suspenso')", name=op.f("client_estado_check")),
        sa.CheckConstraint("kind IN ('norma', 'aplicacao', 'interno')", name=op.f("client_kind_check")),
        sa.ForeignKeyConstraint(["id"], ["sujeito.id"], name=op.f("client_id_fkey")),
        sa.ForeignKeyConstraint(["orgao"], ["orgao.id"], name=op.f("client_orgao_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("client_pkey")),
    )
    op.create_table(
        "vinculo",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("pessoa", sa.String(length=64), nullable=False),
        sa.Column("orgao", sa.String(length=64), nullable=False),
        sa.Column("matricula", sa.String(), nullable=False),
        sa.Column("tipo", sa.String(), nullable=False),
        sa.Column("cargo", sa.String(), nullable=True),
        sa.Column("de", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prazo", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ate", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fonte", sa.String(), nullable=False),
        sa.Column("estado", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.CheckConstraint("estado IN ('ativo', 'suspenso', 'encerrado')", name=op.f("vinculo_estado_check")),
        sa.CheckConstraint(
            "tipo IN ('servidor', 'terceirizado', 'externo', 'representante')", name=op.f("vinculo_tipo_check")
        ),
        sa.CheckConstraint("epoch > 0", name=op.f("vinculo_epoch_check")),
        sa.ForeignKeyConstraint(["orgao"], ["orgao.id"], name=op.f("vinculo_orgao_fkey")),
        sa.ForeignKeyConstraint(["pessoa"], ["pessoa.id"], name=op.f("vinculo_pessoa_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("vinculo_pkey")),
    )
    op.create_index("vinculo_pessoa", "vinculo", ["pessoa"], unique=False)
    op.create_table(
        "fonte",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("nome", sa.String(), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=True),
        sa.Column("orgaos", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["client.id"], name=op.f("fonte_client_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("fonte_pkey")),
    )
    op.create_table(
        "evento",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("fonte", sa.String(length=64), nullable=False),
        sa.Column("numero", sa.String(), nullable=False),
        sa.Column("pessoa", sa.String(length=64), nullable=False),
        sa.Column("vinculo", sa.String(length=64), nullable=True),
        sa.Column("tipo", sa.String(), nullable=False),
        sa.Column("data_efeito", sa.Date(), nullable=False),
        sa.Column("efetivo_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("conteudo", sa.JSON(), nullable=False),
        sa.Column("recebido_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recebido_de", sa.String(), nullable=False),
        sa.Column("estado", sa.String(), nullable=False),
        sa.Column("efeitos", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "estado IN ('aplicado', 'aguarda', 'pendente', 'decidido', 'sem_efeito')", name=op.f("evento_estado_check")
        ),
        sa.ForeignKeyConstraint(["fonte"], ["fonte.id"], name=op.f("evento_fonte_fkey")),
        sa.ForeignKeyConstraint(["pessoa"], ["pessoa.id"], name=op.f("evento_pessoa_fkey")),
        sa.ForeignKeyConstraint(["vinculo"], ["vinculo.id"], name=op.f("evento_vinculo_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("evento_pkey")),
        sa.UniqueConstraint("fonte", "numero", name=op.f("evento_fonte_numero_key")),
    )
    op.create_index("evento_pessoa", "evento", ["pessoa"], unique=False)
    op.create_table(
        "concessao",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sujeito", sa.String(length=64), nullable=False),
        sa.Column("vinculo", sa.String(length=64), nullable=True),
        sa.Column("sistema", sa.String(), nullable=False),
        sa.Column("perfil", sa.String(), nullable=False),
        sa.Column("restricao", sa.JSON(), nullable=False),
        sa.Column("origem", sa.String(), nullable=False),
        sa.Column("fundamento", sa.String(), nullable=False),
        sa.Column("vigente_de", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prazo", sa.DateTime(timezone=True), nullable=True),
        sa.Column("vigente_ate", sa.DateTime(timezone=True), nullable=True),
        sa.Column("registrada_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registrada_por", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("revogada_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("motivo", sa.String(), nullable=True),
        sa.Column("evento", sa.String(length=64), nullable=True),
        sa.CheckConstraint("prazo > vigente_de", name=op.f("concessao_prazo_check")),
        sa.ForeignKeyConstraint(["evento"], ["evento.id"], name=op.f("concessao_evento_fkey")),
        sa.ForeignKeyConstraint(["sujeito"], ["sujeito.id"], name=op.f("concessao_sujeito_fkey")),
        sa.ForeignKeyConstraint(["vinculo"], ["vinculo.id"], name=op.f("concessao_vinculo_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("concessao_pkey")),
    )
    op.create_index(
        "concessao_digest_vigente",
        "concessao",
        ["digest"],
        unique=True,
        sqlite_where=sa.text("revogada_em IS NULL"),
        postgresql_where=sa.text("revogada_em IS NULL"),
    )
    op.create_index("concessao_sujeito", "concessao", ["sujeito"], unique=False)
    op.create_index("concessao_vinculo", "concessao", ["vinculo"], unique=False)
    op.create_table(
        "recibo",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("evento", sa.String(length=64), nullable=False),
        sa.Column("pessoa", sa.String(length=64), nullable=False),
        sa.Column("efetivo_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("recibo_entry_fkey")),
        sa.ForeignKeyConstraint(["evento"], ["evento.id"], name=op.f("recibo_evento_fkey")),
        sa.ForeignKeyConstraint(["pessoa"], ["pessoa.id"], name=op.f("recibo_pessoa_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("recibo_pkey")),
        sa.UniqueConstraint("evento", name=op.f("recibo_evento_key")),
    )
    op.create_table(
        "pendencia",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("pessoa", sa.String(length=64), nullable=False),
        sa.Column("evento", sa.String(length=64), nullable=True),
        sa.Column("concessao", sa.String(length=64), nullable=True),
        sa.Column("texto", sa.String(), nullable=False),
        sa.Column("aberta_em", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decidida_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decidida_por", sa.String(), nullable=True),
        sa.Column("decisao", sa.String(), nullable=True),
        sa.CheckConstraint("kind IN ('decidir', 'rever', 'desfazer')", name=op.f("pendencia_kind_check")),
        sa.ForeignKeyConstraint(["concessao"], ["concessao.id"], name=op.f("pendencia_concessao_fkey")),
        sa.ForeignKeyConstraint(["evento"], ["evento.id"], name=op.f("pendencia_evento_fkey")),
        sa.ForeignKeyConstraint(["pessoa"], ["pessoa.id"], name=op.f("pendencia_pessoa_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pendencia_pkey")),
    )
    op.create_table(
        "recibo_destino",
        sa.Column("recibo", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("estado", sa.String(), nullable=False),
        sa.Column("visto_em", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erro", sa.String(), nullable=True),
        sa.CheckConstraint("estado IN ('pendente', 'visto', 'falhou')", name=op.f("recibo_destino_estado_check")),
        sa.ForeignKeyConstraint(["recibo"], ["recibo.id"], name=op.f("recibo_destino_recibo_fkey")),
        sa.PrimaryKeyConstraint("recibo", "target", name=op.f("recibo_destino_pkey")),
    )


def downgrade() -> None:
    """Nothing regulated is dropped: an older version is served by a restored copy."""
    raise NotImplementedError
