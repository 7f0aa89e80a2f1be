import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cisgram.core.checks import DataError
from cisgram.genome.alphabet import A, C, G, N, T, decode, encode, one_hot, reverse_complement

sequences = st.text("ACGTN", max_size=60)


@given(sequences)
def test_decode_inverts_encode(text: str) -> None:
    assert decode(encode(text)) == decode(encode(text.lower().encode())) == text


@given(sequences)
def test_reverse_complement_twice_is_the_sequence(text: str) -> None:
    tokens = encode(text)
    np.testing.assert_array_equal(reverse_complement(reverse_complement(tokens)), tokens)
    paired = text[::-1].translate(str.maketrans("ACGT", "TGCA"))
    assert decode(reverse_complement(tokens)) == paired


@given(sequences)
def test_one_hot_rows_say_the_letter_and_n_says_nothing(text: str) -> None:
    rows = one_hot(encode(text))
    assert rows.shape == (len(text), 4)
    for letter, row in zip(text, rows.tolist(), strict=True):
        assert row == [int(letter == base) for base in "ACGT"]


def test_other_letters_read_as_n_and_u_as_t() -> None:
    assert encode("RYSWKMBDHVXnez").tolist() == [N] * 14
    assert encode("uAcGt").tolist() == [T, A, C, G, T]
    assert encode("").size == 0


@pytest.mark.parametrize("text", ["AC-GT", "AC GT", "AC*", "AC\n", "ACé", b"AC\xff"])
def test_what_is_no_letter_is_refused(text: str | bytes) -> None:
    with pytest.raises(DataError, match=r"letters only; got .* at position 3"):
        encode(text)


def test_batches_keep_their_axes(rng: np.random.Generator) -> None:
    tokens = rng.integers(0, 5, (3, 2, 7), dtype=np.uint8)
    assert one_hot(tokens, np.float32).dtype == np.float32
    assert one_hot(tokens).shape == (3, 2, 7, 4)
    opposite = reverse_complement(tokens)
    np.testing.assert_array_equal(opposite[1, 0], reverse_complement(tokens[1, 0]))


def test_tokens_belong_to_the_caller() -> None:
    tokens = encode("ACGT")
    tokens[0] = N
    assert decode(tokens) == "NCGT"
