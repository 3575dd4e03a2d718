"""CPF and CNPJ, numeric and alphanumeric."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.errors import Invalid
from iam.icp_brasil import document


@pytest.mark.parametrize("text", ["52998224725", "11144477735", "12345678909"])
def test_valid_cpf(text: str) -> None:
    assert document.is_cpf(text)
    assert document.cpf(f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}") == text


@pytest.mark.parametrize(
    "text", ["", "52998224726", "11111111111", "00000000000", "529982247250", "5299822472a", "٥٢٩٩٨٢٢٤٧٢٥"]
)
def test_invalid_cpf_is_refused_with_a_message(text: str) -> None:
    assert not document.is_cpf(text)
    with pytest.raises(Invalid) as refusal:
        document.cpf(text)
    assert refusal.value.code == "cpf_invalido"


@pytest.mark.parametrize(
    "text", ["12ABC34501DE35", "12ABC345000188", "12345678000195", "00000000000191", "33683111000107"]
)
def test_valid_cnpj(text: str) -> None:
    assert document.is_cnpj(text)


@pytest.mark.parametrize(
    "text", ["", "0" * 14, "12ABC34501DE36", "12abc34501de35", "12ABC34501DEA5", "123456780001950"]
)
def test_invalid_cnpj(text: str) -> None:
    assert not document.is_cnpj(text)


@given(st.text(max_size=20))
def test_no_text_breaks_the_check(text: str) -> None:
    assert document.is_cpf(text) in {True, False}
    assert document.is_cnpj(text) in {True, False}


@given(st.integers(0, 10**9 - 1))
def test_each_cpf_has_one_pair_of_check_digits(number: int) -> None:
    base = f"{number:09}"
    right = [digits for digits in range(100) if document.is_cpf(f"{base}{digits:02}")]
    assert len(right) == (len(set(base)) > 1)


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=12, max_size=12))
def test_each_cnpj_has_one_pair_of_check_digits(base: str) -> None:
    right = [digits for digits in range(100) if document.is_cnpj(f"{base}{digits:02}")]
    assert len(right) == (base != "0" * 12)
