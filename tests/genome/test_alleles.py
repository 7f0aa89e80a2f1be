import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError
from cisgram.genome.alleles import allele_window
from cisgram.genome.alphabet import decode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference
from cisgram.genome.variant import Variant

LENGTH = 120


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    place = tmp_path_factory.mktemp("reference")
    bases = np.random.default_rng(0).choice(list("ACGT"), LENGTH)
    (place / "toy.fa").write_text(f">c0\n{''.join(bases)}\n")
    return Reference.from_fasta(place / "toy.fa", place / "toy")


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_the_window_is_cut_from_the_edited_contig_around_its_anchor(reference, data):
    contig = decode(reference.contig("c0"))
    start = data.draw(st.integers(0, LENGTH - 1))
    end = data.draw(st.integers(start + 1, min(start + 12, LENGTH)))
    alt = data.draw(
        st.text("ACGT", min_size=1, max_size=12).filter(lambda a: a != contig[start:end])
    )
    low = data.draw(st.integers(0, LENGTH - 20))
    window = Interval("c0", low, low + 20, "+")
    anchor = data.draw(st.integers(low, low + 20))
    found = allele_window(
        reference, window, Variant("c0", start, contig[start:end], alt), anchor=anchor
    )
    grown = len(alt) - (end - start)
    edited = "N" * 40 + contig[:start] + alt + contig[end:] + "N" * 40
    # Counted in the edited contig, what is on the anchor's side has kept its place.
    first = 40 + low + (grown if end <= anchor else 0)
    untouched = end <= low or start >= low + 20
    assert decode(found) == (contig[low : low + 20] if untouched else edited[first : first + 20])


def test_on_the_other_strand_the_window_is_turned(reference):
    contig = decode(reference.contig("c0"))
    variant = Variant("c0", 50, contig[50:53], contig[50])
    forward, backward = (
        allele_window(reference, Interval("c0", 40, 70, strand), variant, anchor=60)
        for strand in "+-"
    )
    np.testing.assert_array_equal(backward, reverse_complement(forward))
    assert decode(forward).endswith(contig[53:70])


def test_an_anchor_outside_the_window_is_refused(reference):
    with pytest.raises(ConfigError, match="anchor must lie in"):
        allele_window(reference, Interval("c0", 0, 9), Variant("c0", 1, "A", "C"), anchor=10)
