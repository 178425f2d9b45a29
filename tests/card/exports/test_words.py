"""Languages, licences and addresses: which words other formats take, and how they spell them."""

from __future__ import annotations

import re

import pytest
from cyclonedx.spdx import fixup_id, is_supported_id
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from dxwatchd.card.exports.languages import two_letters
from dxwatchd.card.exports.licences import licence_name, spdx_expression
from dxwatchd.card.exports.spdx import spdx_identifier
from dxwatchd.card.exports.urls import is_url
from tests.card.exports.making import HOSTILE, full_card


@pytest.mark.parametrize(
    ("languages", "codes"),
    [
        (("en",), ["en"]),
        (("EN", " fr ", "en"), ["en", "fr"]),
        (("en-US", "zh_Hans_CN", "sr-Latn"), ["en", "zh", "sr"]),
        (("eng", "deu", "ger", "zho", "chi"), ["en", "de", "zh"]),
        (("no", "nb", "nn"), ["no", "nb", "nn"]),
        (("yue", "multilingual", "code", "English", "xx", "jp", "", "e"), []),
        (("en, fr", "en/fr", "english-us"), []),
    ],
)
def test_languages_have_two_letters_or_are_left_out(languages: tuple[str, ...], codes: list[str]) -> None:
    """Regions and scripts go, three letters become two, and what is no code of a language is none here."""
    assert two_letters(languages) == codes


@pytest.mark.oracle
def test_the_codes_are_those_that_whisper_speaks() -> None:
    """The list of languages in transformers has two letters for most; "jw" is its own word for Javanese."""
    codes = [code for code in LANGUAGES if len(code) == 2 and code != "jw"]
    assert len(codes) > 90
    assert two_letters(codes) == codes


@given(st.lists(st.text(max_size=12) | st.sampled_from(HOSTILE)))
def test_only_two_small_letters_come_of_any_text(languages: list[str]) -> None:
    """Each once."""
    codes = two_letters(languages)
    assert all(re.fullmatch("[a-z]{2}", code) for code in codes)
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("MIT", "MIT"),
        (" mit ", "MIT"),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("gpl-3.0", "GPL-3.0"),
        ("bigscience-bloom-rail-1.0", None),
        ("llama3.1", None),
        ("other", None),
        ("unknown", None),
        ("bsd", None),
        ("cc", None),
        ("classpath-exception-2.0", None),
        ("", None),
    ],
)
def test_a_licence_is_found_in_any_case(name: str, identifier: str | None) -> None:
    """Families, custom licences and exceptions are no licence of the list."""
    assert spdx_identifier(name) == identifier


@pytest.mark.oracle
@pytest.mark.parametrize(
    "name", ["apache-2.0", "mit", "openrail", "afl-3.0", "artistic-2.0", "bsl-1.0", "cc0-1.0", "gfdl", "isc",
             "mpl-2.0", "ms-pl", "ofl-1.1", "unlicense", "zlib", "wtfpl", "eupl-1.2", "etalab-2.0", "gemma"],
)  # fmt: skip
def test_cyclonedx_knows_the_same_licences(name: str) -> None:
    """Its library spells them the same, and knows no other of these."""
    assert spdx_identifier(name) == fixup_id(name)


@pytest.mark.oracle
def test_no_identifier_is_unknown_to_cyclonedx() -> None:
    """What is written as an identifier is one that its validator takes."""
    from dxwatchd.card.exports import spdx

    listed = spdx._IDENTIFIERS.split()
    assert len(listed) == len(set(listed)) > 700
    assert [identifier for identifier in listed if not is_supported_id(identifier)] == []


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("llama3.1", "LicenseRef-llama3.1"),
        ("Tongyi Qianwen (v1)", "LicenseRef-Tongyi-Qianwen-v1"),
        ("通义", "LicenseRef-unnamed"),
    ],
)
def test_a_licence_of_its_own_is_a_reference(name: str, expression: str) -> None:
    """SPDX has letters, digits, "." and "-" for those."""
    assert spdx_expression(name) == expression


def test_other_is_read_in_any_case() -> None:
    """A README's "Other" is the Hub's "other"."""
    assert licence_name(full_card(license="Other", license_name="own")) == "own"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("https://arxiv.org/abs/2505.09388", True),
        ("http://localhost:8000", True),
        ("https://example.org/a?b=c&d=%20#e", True),
        ("https://example.org/a b", False),
        ("https://example.org/%2", False),
        ("https://user@example.org/", False),
        ("https://", False),
        ("javascript:alert(1)", False),
        ("ftp://example.org/", False),
        ("arxiv:2505.09388", False),
        ("https://example.org/\n", False),
        ("https://example.org/é", False),
        ("LICENSE", False),
    ],
)
def test_what_is_an_address(text: str, verdict: bool) -> None:
    """Only http and https, as a whole, in the letters that URLs have."""
    assert is_url(text) is verdict
