from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from prediction.toy_reader import GENES, toy_reader, toy_reference, write_toy_model

from cisgram.cli.app import main
from cisgram.core.checks import ConfigError, DataError
from cisgram.core.metrics import bootstrap_ci, bootstrap_difference
from cisgram.explain.gene_words import GeneWords, reordered, with_promoters, words_for_genes
from cisgram.explain.marginalize import shuffles
from cisgram.explain.motifs import Motif
from cisgram.explain.word_options import GeneSample, WordConfig
from cisgram.genome.alphabet import N, encode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.models.base import Model
from cisgram.prediction.genes import GeneReadout, gene_window
from cisgram.prediction.tracks import Columns, Scale, TrackReader

WORD, START = encode("GGATTC"), 44
"""START is where a gene of 40 bases lies in a window of 128."""
PAIR = {"left": GENES["left"], "turned": Interval("c1", 600, 640, "-")}
SMALL = WordConfig(n_backgrounds=2, n_nulls=3, promoter=40, seed=5)


MOMENTS = np.array([[0, 1]], np.float32)


class Counter(Model):
    """Counts a word on the strand that is read and on the other, in every bin."""

    kind, multiple, window, resolution = "counter", 1, 128, 4
    margin, config = 16, None

    def __init__(self) -> None:
        super().__init__()
        self.unit = torch.nn.Parameter(torch.ones(1))
        self.seen: list[np.ndarray] = []

    def forward(self, tokens: torch.Tensor, species: torch.Tensor | None = None) -> torch.Tensor:
        self.seen.append(tokens.numpy().copy())
        pieces = tokens.unfold(1, len(WORD), 1)
        both = [
            (pieces == torch.from_numpy(word.copy())).all(dim=-1).sum(dim=1).float()
            for word in (WORD, reverse_complement(WORD))
        ]
        return torch.stack(both, dim=1)[:, None].expand(-1, 24, -1) * self.unit


def counter() -> TrackReader:
    return TrackReader(
        Counter(),
        Columns((), ("count",), ()),
        (Scale(power=1.0, track_means=np.empty(0, np.float32), value_moments=MOMENTS),),
        card={},
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return toy_reference(tmp_path_factory.mktemp("words"))


def word(letters: str = "GGATTC", name: str = "w") -> Motif:
    return Motif.from_consensus(name, letters)


def test_a_word_that_is_counted_adds_one_way_round(reference):
    options = {"words": [word()], "distances": [10, 30]}
    both = words_for_genes(counter(), reference, PAIR, config=SMALL, **options)
    assert both.effects.shape == both.nulls.shape == (2, 1, 2, 1)
    single = WordConfig(n_backgrounds=2, n_nulls=3, promoter=40, seed=5, both_strands=False)
    one = words_for_genes(counter(), reference, PAIR, config=single, **options)
    # Backgrounds have none of it to lose.
    np.testing.assert_array_equal(both.effects, np.full((2, 1, 2, 1), 0.5))
    np.testing.assert_array_equal(one.effects, np.ones((2, 1, 2, 1)))
    np.testing.assert_array_equal(both.nulls, np.zeros((2, 1, 2, 1)))
    assert (both.words, both.sequences, both.genes) == (("w",), ("GGATTC",), ("left", "turned"))


def test_nothing_but_the_promoter_of_a_window_changes(reference):
    reader = counter()
    words_for_genes(reader, reference, PAIR, words=[word("GGNTTC")], distances=[10], config=SMALL)
    seen = np.concatenate(reader.model.seen)
    windows = [
        reference.fetch(gene_window(reader, reference, gene).window) for gene in PAIR.values()
    ]
    promoter, first = slice(START - 40, START), START - 10 - 3
    for window in windows:
        rest = np.delete(window, promoter)
        own = seen[(np.delete(seen, promoter, axis=1) == rest).all(axis=1)]
        assert len(own) == 2 + 2 * 5
        shuffled = own[:2]
        assert (shuffled[:, promoter] != window[promoter]).any(axis=1).all()
        for background in shuffled:
            counts = [
                np.bincount(bases[:-1] * 5 + bases[1:], minlength=25)
                for bases in (window[promoter], background[promoter])
            ]
            np.testing.assert_array_equal(*counts)
        put = own[2:, first : first + 6]
        # The word in both backgrounds and nulls in turn, then all turned; N leaves what is there.
        under = [0, 1, 0, 1, 0]
        np.testing.assert_array_equal(put[:5, 2], shuffled[under, first + 2])
        np.testing.assert_array_equal(put[5:, 3], shuffled[under, first + 3])
        np.testing.assert_array_equal(put[:2, [0, 1, 3, 4, 5]], [encode("GGTTC")] * 2)
        np.testing.assert_array_equal(put[5:7, [0, 1, 2, 4, 5]], [encode("GAACC")] * 2)
    turned = np.concatenate([reverse_complement(window)[None] for window in windows])
    assert (seen[:, :80][:, None] == turned[None, :, :80]).all(axis=2).any()


def plain_effects(reference, name: str, letters: str, distance: int) -> tuple[np.ndarray, ...]:
    """Effects of a word and of its nulls on a gene, window after window."""
    reader, number = toy_reader(), 1 + list(PAIR).index(name)
    place = gene_window(reader, reference, PAIR[name])
    readout, window = GeneReadout(reader, place), reference.fetch(place.window)
    reader.model.eval()

    def says(tokens: np.ndarray) -> np.ndarray:
        pair = torch.from_numpy(np.stack([tokens, reverse_complement(tokens)]))
        with torch.inference_mode():
            one, other = reader.model(pair).split(1)
            value, count = ((readout(one) + readout.turned(other)) / 2)[0].tolist()
        return np.array([value, np.log2(1 + count)])

    def put(letters: np.ndarray, background: np.ndarray) -> np.ndarray:
        first = START - distance - len(letters) // 2
        found = []
        for way in (letters, reverse_complement(letters)):
            tokens = background.copy()
            tokens[first : first + len(letters)] = way
            found.append(says(tokens) - says(background))
        return np.mean(found, axis=0)

    rng = np.random.default_rng((5, number))
    promoters = shuffles(window[None, START - 40 : START], n=2, rng=rng)
    backgrounds = [np.r_[window[: START - 40], own, window[START:]] for own in promoters]
    rng = np.random.default_rng((5, number, 2))
    nulls = [reordered(encode(letters), rng) for _ in range(3)]
    effect = np.mean([put(encode(letters), background) for background in backgrounds], axis=0)
    null = np.mean([put(own, backgrounds[i % 2]) for i, own in enumerate(nulls)], axis=0)
    return effect, null


def test_effects_are_those_of_a_plain_loop(reference, monkeypatch):
    words = [word("GATTACAG", "a"), word("TATAAA", "b")]
    options = {"words": words, "distances": [8, 25], "config": SMALL}
    found = words_for_genes(toy_reader(), reference, PAIR, **options)
    # One word after the other, and fewer genes, is the same.
    monkeypatch.setattr("cisgram.explain.gene_words._AT_ONCE", 1)
    apart = words_for_genes(toy_reader(), reference, {"left": PAIR["left"]}, **options)
    np.testing.assert_allclose(apart.effects, found.effects[:1], rtol=1e-2, atol=1e-5)
    np.testing.assert_allclose(apart.nulls, found.nulls[:1], rtol=1e-2, atol=1e-5)
    assert found.outputs == ("worth", "word+")
    for gene, name in enumerate(PAIR):
        effect, null = plain_effects(reference, name, "TATAAA", 25)
        np.testing.assert_allclose(found.effects[gene, 1, 1], effect, rtol=1e-2, atol=1e-5)
        np.testing.assert_allclose(found.nulls[gene, 1, 1], null, rtol=1e-2, atol=1e-5)
    assert abs(found.effects - found.nulls).min() > 1e-6


def test_letters_in_other_orders_are_neither_way_round_of_the_word(rng):
    for letters in ("TATAAA", "GGCC", "ANNC", "AC"):
        own = encode(letters)
        drawn = np.stack([reordered(own, rng) for _ in range(50)])
        np.testing.assert_array_equal(np.sort(drawn), np.tile(np.sort(own), (50, 1)))
        np.testing.assert_array_equal(drawn == N, np.tile(own == N, (50, 1)))
        for way in (own, reverse_complement(own)):
            assert (drawn != way).any(axis=1).all()
    assert len(np.unique([reordered(encode("TATAAA"), rng) for _ in range(90)], axis=0)) > 8


def test_a_word_of_one_letter_has_no_null(reference):
    words = [word("AANAA", "poly(A)"), word()]
    found = words_for_genes(
        toy_reader(), reference, PAIR, words=words, distances=[10], config=SMALL
    )
    assert np.isnan(found.nulls[:, 0]).all()
    assert not np.isnan(found.nulls[:, 1]).any()
    row = found.table("worth").row(0, named=True)
    assert not np.isnan(row["effect"])
    assert np.isnan([row["null"], row["difference"], row["difference_low"]]).all()


def some_words(n_genes: int = 12) -> GeneWords:
    rng = np.random.default_rng(1)
    shape = (n_genes, 2, 3, 2)
    return GeneWords(
        genes=tuple(f"g{number}" for number in range(n_genes)),
        words=("a", "b"),
        sequences=("ACG", "TTN"),
        distances=(10, 20, 30),
        outputs=("worth", "word+"),
        effects=rng.normal(size=shape).astype(np.float32),
        nulls=rng.normal(size=shape).astype(np.float32),
    )


def test_means_and_intervals_are_over_genes():
    found = some_words()
    table = found.table("word+", seed=3)
    assert table.height == 6
    row = table.row(4, named=True)
    own, null = found.effects[:, 1, 1, 1], found.nulls[:, 1, 1, 1]
    expected = {"word": "b", "sequence": "TTN", "distance": 20, "genes": 12}
    estimates = (bootstrap_ci(own, seed=3), bootstrap_difference(own, null, seed=3))
    numbers = [*estimates[0], null.mean(), *estimates[1]]
    names = ["effect", "low", "high", "null", "difference", "difference_low", "difference_high"]
    assert list(row) == [*expected, *names]
    assert {name: row[name] for name in expected} == expected
    np.testing.assert_allclose([row[name] for name in names], numbers, rtol=1e-5)
    with pytest.raises(ConfigError, match="track must be one of worth, word"):
        found.table("tss")
    with pytest.raises(DataError, match="two genes or more"):
        some_words(1).table("worth")


def test_genes_without_their_promoter_are_found(reference):
    genes = PAIR | {"first": Interval("c0", 20, 60, "+"), "last": Interval("c0", 20, 60, "-")}
    reader = toy_reader()
    assert list(with_promoters(reader, reference, genes, promoter=40)) == ["left", "turned", "last"]
    with pytest.raises(ConfigError, match="gene first has no 40 bases before it in c0:1-128"):
        words_for_genes(reader, reference, genes, words=[word()], distances=[10], config=SMALL)


def test_genes_are_drawn_in_their_order():
    genes = {f"g{number}": Interval("c", number, number + 1) for number in range(40)}
    drawn = [list(GeneSample().draw(genes, seed=seed)) for seed in (0, 0, 1)]
    assert len(drawn[0]) == 20
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(drawn[0], key=list(genes).index)
    assert len(GeneSample(genes="list.txt").draw(genes, seed=0)) == 40
    assert len(GeneSample(n_genes=50).draw(genes, seed=0)) == 40
    with pytest.raises(DataError, match="needs two with their promoters"):
        GeneSample().draw({"g": genes["g1"]}, seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distances": [2]}, "word w of 6 bases at a distance of 2 must lie within the 40"),
        ({"distances": [38]}, "must lie within the 40 bases before a gene"),
        ({"distances": []}, "a word and a distance"),
        ({"words": []}, "a word and a distance"),
        ({"words": [word("NNN")]}, "word w has no base"),
        ({"genes": {}}, "a gene to put words before"),
    ],
)
def test_what_cannot_be_put_in_is_refused(reference, options, message):
    options = {"words": [word()], "distances": [10], "genes": PAIR} | options
    genes = options.pop("genes")
    with pytest.raises(ConfigError, match=message):
        words_for_genes(toy_reader(), reference, genes, config=SMALL, **options)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_toy_model(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words_command(*more: str) -> int:
    words = "explain words --model model --genome toy.fa --annotation toy.gff3 --out w.tsv"
    small = "--promoter 40 --n-backgrounds 2 --n-nulls 2 --n-genes 3 --distances 10,30"
    return main([*words.split(), *small.split(), *more])


def test_words_are_written_drawn_and_summed_up(place, capsys):
    (place / "m.meme").write_text(
        "MEME version 4\n\nMOTIF MA1 GCN\nletter-probability matrix: alength= 4 w= 3 nsites= 9\n"
        "0 0 1 0\n0 1 0 0\n0.25 0.25 0.25 0.25\n"
    )
    more = ["--motifs", "m.meme", "--word", "TATA=TATAWAW", "--track", "word+", "--figure", "w.svg"]
    assert words_command(*more) == 0
    said = " ".join(capsys.readouterr().out.split())
    table = pl.read_csv(place / "w.tsv", separator="\t")
    assert table.columns[:7] == ["word", "sequence", "distance", "genes", "effect", "low", "high"]
    assert table["word"].to_list() == ["GCN", "GCN", "TATA", "TATA"]
    assert table["sequence"].to_list() == ["GCN", "GCN", "TATAAAA", "TATAAAA"]
    assert table["distance"].to_list() == [10, 30, 10, 30]
    assert table["genes"].unique().to_list() == [3]
    assert (table["low"] <= table["effect"]).all()
    assert (table["effect"] <= table["high"]).all()
    assert table["difference"].to_list() == pytest.approx(
        (table["effect"] - table["null"]).to_list(), abs=2e-5
    )
    most = table.row(table["difference"].abs().arg_max(), named=True)
    assert said.startswith("3 genes, word+; ")
    assert "without their promoter in the window left out" in said
    assert f": {most['word']}, {most['distance']} bases before a gene, does most: " in said
    drawn = (place / "w.svg").read_text()
    assert all(f"<!-- {title} -->" in drawn for title in ("GCN", "TATA, TATAAAA"))


def test_words_without_a_null_are_summed_up_without(place, capsys):
    assert words_command("--word", "poly(A)=AAAA") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert ": poly(A), " in said
    assert "other orders" not in said
    assert "nan" not in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "there are no words to put in; add --motifs, --word or both."),
        (("--word", "TATAAA"), "a word must look like Reb1=TTACCCK; got 'TATAAA'."),
        (("--word", "t=TAQ"), "consensus 'TAQ' of t must hold IUPAC letters"),
        (("--word", "t=TATAAA", "--figure", "w.jpg"), "w.jpg must end in .png"),
        (("--word", "t=TATAAA", "--track", "tss"), "track must be one of worth, word+"),
        (("--word", "t=TATAAA", "--genes", "list.txt"), "list of genes list.txt does not exist"),
        (("--motifs", "none.meme"), "none.meme does not exist"),
        (("--word", "t=" + "TA" * 30), "must lie within the 40 bases before a gene"),
    ],
)
def test_words_that_cannot_be_put_in_are_one_sentence(place, capsys, more, message):
    before = {path for path in place.iterdir() if path.name != "w.tsv"}
    assert words_command(*more) == 2
    error = capsys.readouterr().err
    assert message in " ".join(error.split())
    assert error.count("\n") == 1
    assert set(place.iterdir()) == before


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--distances", "10,near", "whole numbers between commas, such as 50,100; got '10,near'"),
        ("--n-genes", "1", "n_genes must be at least 2"),
        ("--n-nulls", "0", "n_nulls must be at least 1"),
        ("--n-backgrounds", "0", "n_backgrounds must be at least 1"),
        ("--promoter", "0", "promoter must be at least 1"),
    ],
)
def test_numbers_of_words_are_checked(place, capsys, option, value, message):
    words = "explain words --model model --genome toy.fa --annotation toy.gff3 --out w.tsv"
    assert main([*words.split(), "--word", "t=TATAAA", option, value]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (place / "w.tsv").exists()
