"""The five letters of DNA as numbers: A C G T N = 0 1 2 3 4."""

import numpy as np
from jaxtyping import Shaped, UInt8
from numpy.typing import DTypeLike

from cisgram.core.checks import DataError

A, C, G, T, N = range(5)
LETTERS = "ACGTN"
IUPAC = "RYSWKMBDHVX"
"""Letters of partly known bases, and X for a masked one; each is read as N."""

_INVALID = 255
_TO_LETTER = np.frombuffer(LETTERS.encode(), dtype=np.uint8)


def translation(unknown: str) -> bytes:
    """Return the byte-to-token table in which the `unknown` letters, too, read as N.

    Upper and lower case read the same and U reads as T. Every other byte becomes 255.

    >>> table = translation("RY")
    >>> list(b"acGUR-".translate(table))
    [0, 1, 2, 3, 4, 255]
    """
    table = bytearray([_INVALID] * 256)
    for letter in unknown:
        table[ord(letter.upper())] = table[ord(letter.lower())] = N
    for token, letter in (*enumerate(LETTERS), (T, "U")):
        table[ord(letter)] = table[ord(letter.lower())] = token
    return bytes(table)


_ANY_LETTER = translation("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def encode(text: str | bytes) -> UInt8[np.ndarray, "length"]:
    """Turn a sequence into tokens; letters other than A C G T U become N.

    >>> encode("acgtNR")
    array([0, 1, 2, 3, 4, 4], dtype=uint8)
    """
    letters = text.encode("utf-8") if isinstance(text, str) else text
    tokens = bytearray(letters.translate(_ANY_LETTER))
    if (wrong := tokens.find(_INVALID)) >= 0:
        found = letters[wrong:].decode("utf-8", "replace")[0]
        raise DataError(
            f"a DNA sequence must hold letters only; got {found!r} at position {wrong + 1:,}; "
            "remove gaps, digits and blanks."
        )
    return np.frombuffer(tokens, dtype=np.uint8)


def decode(tokens: UInt8[np.ndarray, "length"]) -> str:
    """Turn tokens back into upper-case letters.

    >>> decode(encode("gattaca"))
    'GATTACA'
    """
    return _TO_LETTER[tokens].tobytes().decode("ascii")


def one_hot(
    tokens: UInt8[np.ndarray, "... length"], dtype: DTypeLike = np.uint8
) -> Shaped[np.ndarray, "... length 4"]:
    """Return one row of four per base, columns A C G T; N is a row of zeros.

    >>> one_hot(encode("CN"))
    array([[0, 1, 0, 0],
           [0, 0, 0, 0]], dtype=uint8)
    """
    return np.take(np.eye(5, 4, dtype=dtype), tokens, axis=0)


def reverse_complement(
    tokens: UInt8[np.ndarray, "... length"],
) -> UInt8[np.ndarray, "... length"]:
    """Return the other strand, read 5' to 3', along the last axis.

    >>> decode(reverse_complement(encode("AACGN")))
    'NCGTT'
    """
    # T minus a base is its partner; T minus N wraps round to 255, which stands for N.
    return np.minimum(np.subtract(np.uint8(T), tokens[..., ::-1]), np.uint8(N))
