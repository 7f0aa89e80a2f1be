"""Windows of a reference with a variant put in."""

import numpy as np
from jaxtyping import UInt8

from cisgram.core.checks import ConfigError
from cisgram.genome.alphabet import encode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.variant import Variant


def allele_window(
    reference: Reference, window: Interval, variant: Variant, *, anchor: int
) -> UInt8[np.ndarray, "length"]:
    """Return a window's tokens with the alternate allele where the reference's was.

    An insertion or a deletion moves the bases on one side of it. Those on the side of `anchor`,
    such as a gene's start, stay where they are in the window; at the other end bases come in or
    fall out.

    Args:
        reference: the genome; past the ends of its contigs is N.
        window: where; on strand `-` the tokens are reverse complemented.
        variant: its `ref` is taken for what the reference has.
        anchor: a boundary between bases in the window, as many bases from the contig's first.
    """
    if not window.start <= anchor <= window.end:
        raise ConfigError(f"anchor must lie in {window}; got base {anchor:,}.")
    alt = encode(variant.alt)
    if variant.end <= window.start or variant.start >= window.end:
        return reference.fetch(window)
    if variant.end <= anchor:
        right = _between(reference, window.chrom, variant.end, window.end)
        alt = alt[max(len(alt) - (window.length - len(right)), 0) :]
        missing = window.length - len(right) - len(alt)
        left = _between(reference, window.chrom, variant.start - missing, variant.start)
    else:
        left = _between(reference, window.chrom, window.start, variant.start)
        before = max(window.start - variant.start, 0)
        after = variant.end + max(before - len(alt), 0)
        alt = alt[before:][: window.length - len(left)]
        missing = window.length - len(left) - len(alt)
        right = _between(reference, window.chrom, after, after + missing)
    tokens = np.concatenate([left, alt, right])
    return reverse_complement(tokens) if window.strand == "-" else tokens


def _between(reference: Reference, chrom: str, start: int, end: int) -> UInt8[np.ndarray, "length"]:
    if end <= start:
        return np.empty(0, dtype=np.uint8)
    return reference.fetch(Interval(chrom, start, end))
