"""The decision point: AuthZEN Authorization API 1.0 over packs and concessões, each answer with its article."""

from __future__ import annotations

from collections.abc import Mapping

from iam.authzen import evaluation, metadata
from iam.oauth import Handler, only

# fmt: off
ROUTES: Mapping[str, Handler] = {
    "/access/v1/evaluation":                only("POST", evaluation.evaluation),
    "/access/v1/evaluations":               only("POST", evaluation.evaluations),
    "/.well-known/authzen-configuration":   only("GET, HEAD", metadata.metadata),
}
# fmt: on
