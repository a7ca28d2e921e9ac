"""Numbers as they are typed."""

from __future__ import annotations

import pytest

from scifi_llm.numeric import share, whole


def test_numbers_within_their_bounds() -> None:
    assert [whole("1", 1, 9), whole("9", 1, 9), whole("32", 32)] == [1, 9, 32]
    assert [share("0.05", 0.05, 1.0), share("1", 0.05, 1.0)] == [0.05, 1.0]


@pytest.mark.parametrize("text", ["0", "10", "-1", "1.0", "", "one", "²", "٣", " 1"])
def test_what_is_no_whole_number_from_1_to_9(text: str) -> None:
    with pytest.raises(ValueError, match=r"^whole number from 1 to 9$"):
        whole(text, 1, 9)


def test_without_an_upper_bound() -> None:
    with pytest.raises(ValueError, match=r"^whole number of at least 32$"):
        whole("31", 32)


@pytest.mark.parametrize("text", ["0.04", "1.01", "nan", "inf", "", "half"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match=r"^share from 0\.05 to 1\.0$"):
        share(text, 0.05, 1.0)
