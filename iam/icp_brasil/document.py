"""CPF and CNPJ: check digits and normal form.

Texts: the Receita Federal's check-digit rules; IN RFB 2.229/2024 for the alphanumeric CNPJ (ASCII code minus 48).
Normal form is without punctuation. A number is valid by arithmetic only: whether it exists is not known here.
"""

from __future__ import annotations

import re

from iam.errors import Invalid

_CPF = re.compile(r"[0-9]{11}")
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}")
_PUNCTUATION = str.maketrans("", "", ".-/ ")


def _digit(text: str, weights: range | tuple[int, ...]) -> str:
    remainder = sum((ord(character) - 48) * weight for character, weight in zip(text, weights, strict=True)) % 11
    return "0" if remainder < 2 else str(11 - remainder)


def is_cpf(text: str) -> bool:
    """Whether `text` is eleven digits with right check digits; eleven equal ones, though right by sum, are not."""
    if not _CPF.fullmatch(text) or text == text[0] * 11:
        return False
    first = _digit(text[:9], range(10, 1, -1))
    return text[9:] == first + _digit(text[:9] + first, range(11, 1, -1))


def is_cnpj(text: str) -> bool:
    """Whether `text` is a CNPJ in normal form, numeric or alphanumeric, with right check digits; not all zeros."""
    if not _CNPJ.fullmatch(text) or text == "0" * 14:
        return False
    weights = (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = _digit(text[:12], weights)
    return text[12:] == first + _digit(text[:12] + first, (6, *weights))


def cpf(text: str) -> str:
    """The CPF in normal form, with or without punctuation given. Invalid otherwise."""
    plain = text.translate(_PUNCTUATION)
    if not is_cpf(plain):
        raise Invalid("o CPF informado não é válido", code="cpf_invalido", field="cpf")
    return plain
