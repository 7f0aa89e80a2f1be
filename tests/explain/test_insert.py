"""Motif insertion, against a model that counts a motif and against a plain loop."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from cisgram.cli.app import main
from cisgram.core.checks import ConfigError, DataError
from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.data.outputs import Geometry, Outputs
from cisgram.explain.backgrounds import dinucleotide_shuffle, put_in, reordered
from cisgram.explain.insert import Insertions, insert
from cisgram.explain.insertion_sites import (
    InsertConfig,
    InsertionSite,
    check_fit,
    sites_of_genes,
    sites_of_sequences,
)
from cisgram.explain.motifs import Motif
from cisgram.explain.sections import insertion_section
from cisgram.genome.alphabet import N, encode, reverse_complement
from cisgram.models.base import Model
from cisgram.prediction.choose import choose_readout
from cisgram.prediction.session import Session
from prediction.toy_session import (
    GENES,
    by_hand,
    gene_model,
    language_model,
    session,
    window_model,
    write_model,
)

COUNTED = encode("GGATTC")
MOTIF = Motif.from_consensus("m", "GGATTC")
PAIR = {"left": 44, "right": 34}
"""Where the TSS lies in a window of 128: genes of 40 and 60 bases, on either strand."""
SMALL = InsertConfig(distances=(10, 20), n_backgrounds=2, n_nulls=3, promoter=30, seed=5)


@dataclass(frozen=True)
class Sizes:
    geometry: Geometry


class Counter(Model):
    """Predicts of genes on either strand how often a motif is there; keeps the windows it saw."""

    kind = "counter"

    def __init__(self) -> None:
        places: Any = {"resolution": 4, "margin": 16}
        super().__init__(
            Sizes(Geometry(window=128, **places)),
            Outputs(row="bin", names=(), gene_targets=("count",), both_strands=True, **places),
        )
        self.seen: list[np.ndarray] = []

    def forward(self, tokens: torch.Tensor, species: Any = None) -> torch.Tensor:
        self.seen.append(tokens.numpy().copy())
        pieces = tokens.unfold(1, len(COUNTED), 1)
        both = [
            (pieces == torch.from_numpy(own.copy())).all(dim=-1).sum(dim=1).float()
            for own in (COUNTED, reverse_complement(COUNTED))
        ]
        return torch.stack(both, dim=1)[:, None].expand(-1, 24, -1)


@pytest.fixture
def counter(place: Path) -> Session:
    return session(Counter(), place)


@pytest.mark.parametrize(("both_strands", "each"), [(True, 0.5), (False, 1)])
def test_a_motif_that_is_counted_adds_one(
    counter: Session, both_strands: bool, each: float
) -> None:
    config = replace(SMALL, both_strands=both_strands)
    found = insert(counter, [MOTIF], genes=list(PAIR), config=config)
    # Backgrounds have none to lose, and letters in another order are none.
    np.testing.assert_array_equal(found.effects, np.full((2, 1, 2, 1), each))
    np.testing.assert_array_equal(found.nulls, np.zeros((2, 1, 2, 1)))
    assert (found.subjects, found.motifs, found.sequences) == (tuple(PAIR), ("m",), ("GGATTC",))
    assert (found.outputs, found.output, found.landmark) == (("count",), "count", "TSS")


def pairs(tokens: np.ndarray) -> list[tuple[int, int]]:
    return sorted(pairwise(tokens.tolist()))


def test_nothing_but_the_promoter_changes(counter: Session) -> None:
    config = replace(SMALL, distances=(10,))
    insert(counter, [Motif.from_consensus("m", "GGNTTC")], genes=list(PAIR), config=config)
    seen = np.concatenate(counter.model.seen)
    for gene, tss in PAIR.items():
        window = counter.reference.fetch(GENES[gene].around(128))
        promoter, first = slice(tss - 30, tss), tss - 10 - 3
        rest = np.delete(window, promoter)
        own = seen[(np.delete(seen, promoter, axis=1) == rest).all(axis=1)]
        assert len(own) == 2 + 2 * 5
        for shuffled in own[:2, promoter]:
            assert (shuffled != window[promoter]).any()
            assert pairs(shuffled) == pairs(window[promoter])
        # The motif in both backgrounds and nulls in turn, then their reverse complements.
        under, put = [0, 1, 0, 1, 0], own[2:]
        outside = np.delete(np.arange(128), np.arange(first, first + 6))
        np.testing.assert_array_equal(put[:5, outside], own[under][:, outside])
        np.testing.assert_array_equal(put[5:, outside], own[under][:, outside])
        np.testing.assert_array_equal(put[:5, first + 2], own[under, first + 2])  # N
        np.testing.assert_array_equal(put[5:, first + 3], own[under, first + 3])
        put = put[:, first : first + 6]
        np.testing.assert_array_equal(put[:2, [0, 1, 3, 4, 5]], [encode("GGTTC")] * 2)
        np.testing.assert_array_equal(put[5:7, [0, 1, 2, 4, 5]], [encode("GAACC")] * 2)
        assert sorted(put[2, [0, 1, 3, 4, 5]]) == sorted(encode("GGTTC"))


def levels(model: Any, tokens: np.ndarray, tss: int) -> np.ndarray:
    """Target worth, and log2(1 + sum of word+), of a gene in the middle of a window."""
    rows = by_hand(model, tokens)
    first, past = (tss - 16) // 4, -(-(128 - tss - 16) // 4)
    counts = rows[first - 3 : past, 0].sum()  # signal may begin 12 bases before the body
    return np.array([rows[first:past, 3].mean(), np.log2(1 + counts)])


MOTIFS = [Motif.from_consensus("a", "GATTACAG"), Motif.from_consensus("b", "TATAAAG")]


@pytest.fixture(scope="module")
def inserted(toy: Session) -> Insertions:
    return insert(toy, MOTIFS, genes=list(PAIR), output="word+", config=SMALL)


@pytest.mark.parametrize(("number", "gene"), [(1, "left"), (2, "right")])
def test_effects_are_those_of_a_plain_loop(
    toy: Session, inserted: Insertions, number: int, gene: str
) -> None:
    tss, window = PAIR[gene], toy.reference.fetch(GENES[gene].around(128))
    rng, promoter = np.random.default_rng((5, number)), slice(tss - 30, tss)
    backgrounds = np.stack([window, window])
    for own in backgrounds:
        own[promoter] = dinucleotide_shuffle(window[promoter], rng)
    before = [levels(toy.model, own, tss) for own in backgrounds]
    rng, letters = np.random.default_rng((5, number, 2)), encode("TATAAAG")
    rows = [letters, letters] + [reordered(letters, rng) for _ in range(3)]
    effects = np.zeros((5, 2))
    for row, under, effect in zip(rows, [0, 1, 0, 1, 0], effects, strict=True):
        for way in (row, reverse_complement(row)):
            changed = put_in(way, backgrounds[[under]], tss - 20 - 3)[0]
            effect += (levels(toy.model, changed, tss) - before[under]) / 2
    assert inserted.outputs[:3:2] == ("worth", "word+")
    own, null = (kept[number - 1, 1, 1, :3:2] for kept in (inserted.effects, inserted.nulls))
    np.testing.assert_allclose(own, effects[:2].mean(axis=0), rtol=1e-2, atol=1e-5)
    np.testing.assert_allclose(null, effects[2:].mean(axis=0), rtol=1e-2, atol=1e-5)
    assert abs(inserted.effects - inserted.nulls).min() > 1e-6


def test_one_motif_after_the_other_is_the_same(
    toy: Session, inserted: Insertions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cisgram.explain.insert._AT_ONCE", 1)
    again = insert(toy, MOTIFS, genes=list(PAIR), output="word+", config=SMALL)
    np.testing.assert_allclose(again.effects, inserted.effects, rtol=1e-2, atol=1e-5)
    np.testing.assert_allclose(again.nulls, inserted.nulls, rtol=1e-2, atol=1e-5)


def test_genes_lie_along_their_strand_behind_their_promoters(toy: Session) -> None:
    genes, config = toy.genes.places, replace(SMALL, promoter=40)
    sites, n_left_out = sites_of_genes(toy, {name: genes[name] for name in GENES}, config)
    # right has 34 bases before it; first and last lie at ends of their contigs.
    assert ([site.name for site in sites], n_left_out) == (["left", "far"], 3)
    just = sites_of_genes(toy, {name: genes[name] for name in PAIR}, replace(SMALL, promoter=34))
    assert [own.shuffled.start for own in just[0]] == [10, 0]
    site, other = sites_of_genes(toy, {name: genes[name] for name in PAIR}, SMALL)[0]
    assert (site.landmark, site.shuffled, site.span.tolist()) == (44, slice(14, 44), [44, 84])
    assert (other.landmark, other.shuffled, other.span.tolist()) == (34, slice(4, 34), [34, 94])
    contig = toy.reference.contig("c0")
    np.testing.assert_array_equal(site.tokens, contig[556:684])
    np.testing.assert_array_equal(other.tokens, reverse_complement(contig[666:794]))
    with pytest.raises(DataError, match=r"needs two with their promoters in .* window; got 1"):
        sites_of_genes(toy, {"left": genes["left"]}, SMALL)


def test_genes_are_drawn_in_their_order(toy: Session) -> None:
    def drawn(n: int | None, seed: int) -> list[str]:
        config = replace(SMALL, n_genes=n, seed=seed)
        return [site.name for site in sites_of_genes(toy, toy.genes.places, config)[0]]

    everything = drawn(None, 0)
    assert everything == drawn(9, 1) == [name for name in toy.genes.places if name in everything]
    draws = [drawn(2, seed) for seed in range(9)]
    assert drawn(2, 0) == draws[0]
    assert len({tuple(names) for names in draws}) > 1
    assert all(names == sorted(names, key=everything.index) for names in draws)


def test_sequences_lie_in_the_middle_of_windows(place: Path) -> None:
    of_window, of_bases = session(window_model(), place), session(language_model(), place)
    regions = ["c0:601-611(-)", "c0:1-20"]
    sites = sites_of_sequences(of_window, choose_readout(of_window), regions)
    assert [site.name for site in sites] == ["c0:601-611(-)", "c0:1-20"]
    contig = of_window.reference.contig("c0")
    (middle, _), tokens = sites, sites[0].tokens
    assert (middle.landmark, middle.span.tolist()) == (19, [0, 40])
    np.testing.assert_array_equal(tokens[middle.shuffled], reverse_complement(contig[600:611]))
    np.testing.assert_array_equal(tokens, reverse_complement(contig[600 - 15 : 600 + 25]))
    assert (sites[1].tokens[:10] == N).all()
    likelihood = choose_readout(of_bases, "pseudo-likelihood")
    short, long = sites_of_sequences(of_bases, likelihood, ["c0:601-611", "c0:601-700"])
    assert (short.span.tolist(), short.shuffled) == ([10, 21], slice(10, 21))
    assert (long.span.tolist(), long.shuffled) == ([0, 32], slice(0, 32))


@pytest.mark.parametrize(("width", "distances"), [(6, (3, 27)), (7, (4, 27))])
def test_a_motif_fits_between_the_ends_of_what_is_shuffled(
    width: int, distances: tuple[int, int]
) -> None:
    motif = Motif.from_consensus("m", "A" * width)
    nothing = np.zeros(128, np.uint8)
    site = InsertionSite(
        name="g", tokens=nothing, shuffled=slice(14, 44), landmark=44, span=np.array([44, 84])
    )
    check_fit(motif, site, distances, to="TSS")
    for distance in (distances[0] - 1, distances[1] + 1):
        with pytest.raises(ConfigError, match=f"distance of {distance} from the TSS reaches past"):
            check_fit(motif, site, (distance,), to="TSS")
    middle = replace(site, landmark=29)
    check_fit(motif, middle, (12, width // 2 - 15 + width % 2), to="middle")
    with pytest.raises(ConfigError, match="past the 30 bases that are shuffled; choose another"):
        check_fit(motif, middle, (width // 2 - 16 + width % 2,), to="middle")


def test_motifs_go_into_dna_itself() -> None:
    config = replace(SMALL, distances=None)
    found = insert(window_model(), [MOTIF], ["ACGTTGCA" * 5], output="b", config=config)
    assert (found.landmark, found.distances, found.effects.shape) == ("middle", (0,), (1, 1, 1, 2))
    row = found.table.row(0, named=True)
    assert (row["n"], row["effect"]) == (1, pytest.approx(float(found.effects[0, 0, 0, 1])))
    assert row["difference"] == pytest.approx(row["effect"] - row["null"])
    assert np.isnan([row["low"], row["high"], row["difference_low"]]).all()
    sentence = insertion_section(found).sentence
    assert "m, 0 bases before the middle, has the largest effect beyond its null" in sentence
    assert " of 1 sequence: " in sentence
    assert "[" not in sentence


def test_a_motif_of_one_letter_has_no_null(toy: Session) -> None:
    poly = Motif.from_consensus("poly(A)", "AANAA")
    found = insert(toy, [poly, MOTIF], genes=list(PAIR), config=SMALL)
    assert np.isnan(found.nulls[:, 0]).all()
    assert not np.isnan(found.nulls[:, 1]).any()
    row = found.table.row(0, named=True)
    assert row["low"] <= row["effect"] <= row["high"]
    assert np.isnan([row["null"], row["difference"], row["difference_low"]]).all()
    alone = insert(toy, [poly], genes=list(PAIR), config=SMALL)
    sentence = insertion_section(alone).sentence
    assert sentence.startswith("poly(A), ")
    assert "shuffled" not in sentence
    assert "nan" not in sentence


def some(n_genes: int = 12) -> Insertions:
    rng = np.random.default_rng(1)
    shape = (n_genes, 2, 3, 2)
    return Insertions(
        subjects=tuple(f"g{number}" for number in range(n_genes)),
        motifs=("a", "b"),
        sequences=("ACG", "TTN"),
        distances=(10, 20, 30),
        outputs=("worth", "word+"),
        effects=rng.normal(size=shape).astype(np.float32),
        nulls=rng.normal(size=shape).astype(np.float32),
        output="worth",
        landmark="TSS",
        n_left_out=3,
        seed=3,
    )


def test_means_and_intervals_are_over_genes() -> None:
    found = some()
    assert found.of("word+").height == 6
    row = found.of("word+").row(4, named=True)
    own, null = found.effects[:, 1, 1, 1], found.nulls[:, 1, 1, 1]
    expected = {"motif": "b", "sequence": "TTN", "distance": 20, "n": 12}
    estimates = (bootstrap_ci(own, seed=3), bootstrap_difference(own, null, seed=3))
    names = ["effect", "low", "high", "null", "difference", "difference_low", "difference_high"]
    assert list(row) == [*expected, *names]
    assert {name: row[name] for name in expected} == expected
    numbers = [*estimates[0], null.mean(), *estimates[1]]
    np.testing.assert_allclose([row[name] for name in names], numbers, rtol=1e-5)
    assert found.table.equals(found.of("worth"))
    with pytest.raises(ConfigError, match="output must be one of worth, word"):
        found.of("tss")


def test_the_section_names_what_is_furthest_beyond_its_null() -> None:
    found = some()
    effects, nulls = np.ones_like(found.effects), np.ones_like(found.nulls)
    effects[:, 0, 0], effects[:, 1, 2] = 5, -2
    nulls[:, 0, 0] = 4.5
    own = replace(found, effects=effects, nulls=nulls)
    section = insertion_section(own)
    assert section.sentence == (
        "b, 30 bases before the TSS, has the largest effect beyond its null on worth of 12 genes: "
        "-2.0000 [-2.0000, -2.0000]; shuffled, it has +1.0000. 3 genes with promoters past the "
        "model's window were left out."
    )
    assert section.table is not None
    assert section.table.columns == ["motif", "distance", "effect", "low", "high", "null"]
    assert section.full_table is not None
    assert section.full_table.equals(own.table)
    assert section.files == "insertions.svg, .tsv"
    assert section.facts == {"effects": own.table.to_dicts()}


@pytest.mark.parametrize(
    ("motifs", "options", "message"),
    [
        (["GGATTC"], {"distances": (2,)}, "motif m of 6 bases at a distance of 2 from the TSS"),
        (["GGATTC"], {"distances": ()}, "distances must name at least one; got none"),
        ([], {}, "there must be a motif to insert; got none"),
        (["NNN"], {}, "motif m has no base that is likelier than another"),
        (["GGATTC"], {"n_nulls": 0}, "n_nulls must be at least 1; got 0"),
        (["GGATTC"], {"n_genes": 1}, "n_genes must be at least 2; got 1"),
    ],
)
def test_what_cannot_be_inserted_is_refused(
    toy: Session, motifs: list[str], options: dict[str, Any], message: str
) -> None:
    parsed = [Motif.from_consensus("m", letters) for letters in motifs]
    with pytest.raises(ConfigError, match=message):
        insert(toy, parsed, genes=list(PAIR), config=replace(SMALL, **options))


def test_models_of_no_gene_need_sequences(place: Path) -> None:
    with pytest.raises(ConfigError, match=r"give sequences .* the readout outputs is of no gene"):
        insert(session(window_model(), place), [MOTIF])


def test_the_command_writes_draws_and_sums_up(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    write_model(place, gene_model())
    (place / "m.meme").write_text(
        "MEME version 4\n\nMOTIF MA1 GCN\nletter-probability matrix: alength= 4 w= 3 nsites= 9\n"
        "0 0 1 0\n0 1 0 0\n0.25 0.25 0.25 0.25\n"
    )
    command = "explain insert --model model --genome toy.fa --annotation genes.gff3 --out m.tsv "
    command += "--motifs m.meme --motif TATA=TATAWAW --output word+ --figure m.svg --promoter 30 "
    command += "--n-backgrounds 2 --n-nulls 2 --n-genes 3 --distances 10,20"
    assert main(command.split()) == 0
    table = pl.read_csv(place / "m.tsv", separator="\t")
    assert table.select("motif", "sequence", "distance", "n").rows() == [
        ("GCN", "GCN", 10, 3),
        ("GCN", "GCN", 20, 3),
        ("TATA", "TATAAAA", 10, 3),
        ("TATA", "TATAAAA", 20, 3),
    ]
    assert (table["low"] <= table["effect"]).all()
    assert (table["effect"] <= table["high"]).all()
    gap = (table["effect"] - table["null"]).to_list()
    assert table["difference"].to_list() == pytest.approx(gap, abs=2e-5)
    most = table.row(table["difference"].abs().arg_max(), named=True)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"{most['motif']}, {most['distance']} bases before the TSS, has the")
    assert f" on word+ of 3 genes: {most['effect']:+.4f} [" in said
    assert said.endswith(
        "2 genes with promoters past the model's window were left out. Effects are in m.tsv."
    )
    drawn = (place / "m.svg").read_text()
    assert all(f"<!-- {title} -->" in drawn for title in ("GCN", "TATA, TATAAAA"))
