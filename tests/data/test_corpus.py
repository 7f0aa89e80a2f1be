"""Corpora of toy genomes, window by window against plain loops over text."""

import gzip
import pickle
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import from_plain
from cisgram.data.corpus import Corpus
from cisgram.data.corpus_build import build_corpus
from cisgram.data.corpus_config import CorpusConfig
from cisgram.genome.alphabet import decode, encode, reverse_complement

WINDOW, MARGIN, SHORTEST = 200, 20, 400
KINDS = ("mRNA", "rRNA", "tRNA", "ncRNA")
CAPS = (("exon", KINDS, 0.925), ("protein_coding", ("mRNA",), 0.875))
CAPS += (("rRNA", ("rRNA",), 0.03125), ("tRNA", ("tRNA",), 0.03125))
Genome = dict[str, str]
Features = list[tuple[str, str, int, int]]


def dna(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list("ACGT"), size=length))


def write_fasta(path: Path, genome: Genome, newline: str = "\n") -> None:
    lines = (
        f">{name} a toy{newline}"
        + "".join(text[i : i + 70] + newline for i in range(0, len(text), 70))
        for name, text in genome.items()
    )
    path.write_bytes("".join(lines).encode())


@pytest.fixture
def genomes(rng: np.random.Generator) -> dict[str, Genome]:
    """Genome a, with lower case and unknown bases here and there, and a small plain b."""
    names = {"c1": 3_000, "c2": 2_000, "c3": 2_500, "c4": 2_000, "short": 399, "mt": 900}
    a = {name: dna(rng, length) for name, length in names.items()}
    for name in ("c1", "c2", "c3"):
        for start in rng.integers(0, len(a[name]) - 60, size=4):
            end = start + int(rng.integers(4, 60))
            a[name] = a[name][:start] + a[name][start:end].lower() + a[name][end:]
        place = len(a[name]) // 2
        a[name] = a[name][:place] + "NryKn"[: 1 + len(name)] + a[name][place + 3 :]
    return {"a": a, "b": {"c1": dna(rng, 1_111)}}


@pytest.fixture
def features(rng: np.random.Generator, genomes: dict[str, Genome]) -> Features:
    """Transcripts of one exon, some close together, of every kind."""
    found: Features = []
    lengths = {"mRNA": 120, "rRNA": 12, "tRNA": 10, "ncRNA": 30}
    for chrom in ("c1", "c3", "c4"):
        for start in range(10, len(genomes["a"][chrom]) - 400, 170):
            kind = str(rng.choice(KINDS, p=[0.6, 0.1, 0.1, 0.2]))
            found.append((chrom, kind, start, start + lengths[kind] + int(rng.integers(60))))
    found += [
        ("c1", "mRNA", 800, 1_250),
        ("c1", "mRNA", 1_300, 1_485),
        ("c1", "rRNA", 1_485, 1_489),
    ]
    return [*found, ("c1", "ncRNA", 1_489, 1_520)]


@pytest.fixture
def recipe(tmp_path: Path, genomes: dict[str, Genome], features: Features) -> dict[str, Any]:
    for name, genome in genomes.items():
        write_fasta(tmp_path / f"{name}.fa", genome)
    (tmp_path / "a.gff").write_text(
        "".join(
            f"{chrom}\tx\t{kind}\t{start + 1}\t{end}\t.\t+\t.\tID=t{i};biotype="
            f"{'protein_coding' if kind == 'mRNA' else kind}\n"
            f"{chrom}\tx\texon\t{start + 1}\t{end}\t.\t+\t.\tParent=t{i}\n"
            for i, (chrom, kind, start, end) in enumerate(features)
        )
    )
    return {
        "genomes": [
            {"name": "a", "fasta": "a.fa", "annotation": "a.gff", "exclude": ["chrM"]},
            {"name": "b", "fasta": "b.fa"},
        ],
        "window": WINDOW,
        "margin": MARGIN,
        "dust": False,
        "valid": {"genome": "a", "contigs": ["c2"]},
        "test": {"genome": "a", "contigs": ["c3"]},
        "homology": {"enabled": False},
    }


def build(recipe: dict[str, Any], place: Path, name: str = "corpus") -> Corpus:
    config = from_plain(CorpusConfig, recipe, "the corpus")
    return build_corpus(config, place / name, directory=place, executor="serial")


def by_hand(
    genomes: dict[str, Genome], features: Features
) -> Iterator[tuple[str, str, int, str, str | None]]:
    """Yield genome, contig, start, split and the first filter failed of every window."""
    splits = {("a", "c2"): "valid", ("a", "c3"): "test"}
    for name, genome in genomes.items():
        for chrom, text in genome.items():
            if chrom == "mt" or len(text) < SHORTEST:
                continue
            split = splits.get((name, chrom), "train")
            own = [feature for feature in features if feature[0] == chrom and name == "a"]
            step = WINDOW // 4 if split == "train" else WINDOW
            for start in range(MARGIN, len(text) - MARGIN - WINDOW + 1, step):
                window = text[start : start + WINDOW]
                yield name, chrom, start, split, first_failed(window, start, own, split)


def first_failed(window: str, start: int, features: Features, split: str) -> str | None:
    unknown = [letter.upper() not in "ACGT" for letter in window]
    if split == "train" and sum(unknown) > 0.001 * WINDOW:
        return "unknown"
    for reason, kinds, most in CAPS:
        covered = {
            position
            for _, kind, first, end in features
            for position in range(max(first, start), min(end, start + WINDOW))
            if kind in kinds
        }
        if split == "train" and len(covered) > most * WINDOW:
            return reason.lower()
    repeat = [
        letter.islower() or is_unknown for letter, is_unknown in zip(window, unknown, strict=True)
    ]
    return "repeat" if sum(repeat) > 0.07 * WINDOW else None


def test_keeps_the_windows_that_loops_over_text_keep(
    tmp_path: Path, recipe: dict[str, Any], genomes: dict[str, Genome], features: Features
) -> None:
    corpus = build(recipe, tmp_path)
    expected = list(by_hand(genomes, features))
    kept = [(name, chrom, start, split) for name, chrom, start, split, why in expected if not why]
    found = corpus.windows.with_columns(pl.col("genome").replace_strict({0: "a", 1: "b"}))
    assert found.select("genome", "chrom", "start", "split").rows() == kept
    reasons = Counter((name, why) for name, *_, why in expected)
    assert {why for _, why in reasons} == {
        *("unknown", "exon", "protein_coding", "rrna", "trna", "repeat", None)
    }
    for row in corpus.account.iter_rows(named=True):
        dropped = {why: row[f"dropped_{why}"] for _, why in reasons if why}
        assert dropped == {why: reasons[row["genome"], why] for why in dropped}
        splits = Counter(split for name, _, _, split in kept if name == row["genome"])
        assert {split: row[split] for split in ("train", "valid", "test")} == {
            split: splits[split] for split in ("train", "valid", "test")
        }
        assert row["windows"] == sum(n for (name, _), n in reasons.items() if name == row["genome"])
        bases = {
            (chrom, position)
            for name, chrom, start, split in kept
            for position in range(start, start + WINDOW)
            if (name, split) == (row["genome"], "train")
        }
        assert row["train_share"] == pytest.approx(len(bases) / row["bases"])
    assert corpus.account.select("genome", "contigs", "short_contigs", "bases").rows() == [
        ("a", 6, 1, sum(map(len, genomes["a"].values()))),
        ("b", 1, 0, 1_111),
    ]


def test_hands_out_what_is_in_the_files(
    tmp_path: Path, recipe: dict[str, Any], genomes: dict[str, Genome], features: Features
) -> None:
    corpus = pickle.loads(pickle.dumps(build(recipe, tmp_path)))
    rows = np.flatnonzero(np.arange(corpus.windows.height) % 3 == 1)[::-1]
    batch = corpus.batch(rows)
    for i, (number, chrom, start, *shares) in enumerate(
        corpus.windows[rows].drop("split").iter_rows()
    ):
        name = "ab"[number]
        text = genomes[name][chrom][start : start + WINDOW]
        exon = {
            position - start
            for contig, _, first, end in features
            for position in range(first, end)
            if (name, contig) == ("a", chrom)
        }
        repeat = [letter.islower() and letter.upper() in "ACGTNRYK" for letter in text]
        unknown = [letter.upper() not in "ACGT" for letter in text]
        assert batch.species[i] == number
        np.testing.assert_array_equal(batch.tokens[i], encode(text))
        np.testing.assert_array_equal(batch.repeat[i], repeat)
        np.testing.assert_array_equal(batch.exon[i], [at in exon for at in range(WINDOW)])
        assert shares == [
            sum(unknown),
            *(sum(mask) / WINDOW for mask in (batch.exon[i], np.array(repeat) | np.array(unknown))),
        ]
    assert corpus.batch(rows[:0]).tokens.shape == (0, WINDOW)
    assert corpus.genomes == ("a", "b")
    assert decode(corpus.references[0].contig("short")) == genomes["a"]["short"]


def test_splits_part_the_windows(tmp_path: Path, recipe: dict[str, Any]) -> None:
    corpus = build(recipe, tmp_path)
    rows = np.concatenate([corpus.split(name) for name in ("train", "valid", "test")])
    assert sorted(rows) == list(range(corpus.windows.height))
    with pytest.raises(ConfigError, match="split must be one of train, valid, test; got 'dev'"):
        corpus.split("dev")


def test_every_way_to_write_a_genome_gives_one_corpus(
    tmp_path: Path,
    recipe: dict[str, Any],
    genomes: dict[str, Genome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = build(recipe, tmp_path)
    everything = np.arange(expected.windows.height)
    text = (tmp_path / "a.fa").read_bytes()
    write_fasta(tmp_path / "a.crlf.fa", genomes["a"], newline="\r\n")
    (tmp_path / "a.bom.fa.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + text))
    for number, (name, chunk) in enumerate((("a.crlf.fa", 1 << 22), ("a.bom.fa.gz", 64))):
        monkeypatch.setattr("cisgram.genome.streams._CHUNK", chunk)
        recipe["genomes"][0]["fasta"] = name
        found = build(recipe, tmp_path, str(number))
        assert found.windows.equals(expected.windows)
        for a, b in zip(found.batch(everything), expected.batch(everything), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("way", ["all lower", "told so"])
def test_lower_case_may_mean_nothing(
    tmp_path: Path, recipe: dict[str, Any], genomes: dict[str, Genome], way: str
) -> None:
    if way == "all lower":
        write_fasta(tmp_path / "a.fa", {name: text.lower() for name, text in genomes["a"].items()})
    else:
        recipe["soft_mask"] = False
    corpus = build(recipe, tmp_path)
    assert not corpus.batch(np.arange(corpus.windows.height)).repeat.any()


def test_dust_adds_to_the_repeats(
    tmp_path: Path, recipe: dict[str, Any], genomes: dict[str, Genome]
) -> None:
    text = genomes["b"]["c1"]
    genomes["b"]["c1"] = text[:300] + "CAG" * 10 + text[330:500].lower() + text[500:]
    write_fasta(tmp_path / "b.fa", genomes["b"])
    repeats = {}
    for dust in (False, True):
        recipe["dust"] = dust
        corpus = build(recipe, tmp_path, f"dust-{dust}")
        repeats[dust] = (corpus.marks[1].contig("c1") & 2) != 0
    np.testing.assert_array_equal(np.flatnonzero(repeats[False]), np.arange(330, 500))
    assert repeats[True][300:500].all()
    assert repeats[True].sum() < 200 + 40


def test_removes_training_windows_like_held_out_contigs(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Genome y has a copy of 3 kb of x's test contig, reverse complemented and 3% changed."""
    x = {name: dna(rng, 12_000) for name in ("train", "valid", "test")}
    x["valid"] = x["valid"][:6_000] + x["test"][1_000:4_000] + x["valid"][9_000:]
    copy = reverse_complement(encode(x["test"][5_000:8_000]))
    changed = rng.choice(copy.size, size=90, replace=False)
    copy[changed] = (copy[changed] + 1) % 4
    y = {"test": dna(rng, 7_000) + decode(copy) + dna(rng, 8_000)}
    for name, genome in (("x", x), ("y", y)):
        write_fasta(tmp_path / f"{name}.fa", genome)
    recipe = {
        "genomes": [{"name": name, "fasta": f"{name}.fa"} for name in "xy"],
        "window": 2_000,
        "stride": 100,
        "margin": 0,
        "valid": {"genome": "x", "contigs": ["valid"]},
        "test": {"genome": "x", "contigs": ["test"]},
    }
    corpus = build(recipe, tmp_path)
    overlap = {
        start: max(0, min(start + 2_000, 10_000) - max(start, 7_000))
        for start in range(0, 16_001, 100)
    }
    kept = set(corpus.windows.filter(pl.col("genome") == 1)["start"])
    assert {start for start, shared in overlap.items() if shared == 0} <= kept
    assert not kept & {start for start, shared in overlap.items() if shared > 400}
    account = corpus.account
    assert account["dropped_homology"].to_list() == [0, len(overlap) - len(kept)]
    assert account["valid"].to_list() == [6, 0]
    assert account["valid_like_test"].to_list() == [2, 0]
    strict = recipe | {"homology": {"min_identity": 1.0, "max_matched": 0.5}}
    fewer = build(strict, tmp_path, "strict").account["dropped_homology"][1]
    assert 10 <= fewer < len(overlap) - len(kept)


def test_holds_out_a_whole_genome(tmp_path: Path, recipe: dict[str, Any]) -> None:
    recipe["test"] = {"genome": "b"}
    corpus = build(recipe, tmp_path)
    test = corpus.windows[corpus.split("test")]
    assert test["genome"].unique().to_list() == [1]
    assert test["start"].to_list() == list(range(MARGIN, 1_111 - MARGIN - WINDOW + 1, WINDOW))


def test_reads_many_small_contigs(tmp_path: Path, rng: np.random.Generator) -> None:
    lengths = rng.integers(150, 500, size=800)
    text = dna(rng, int(lengths.sum()))
    ends = np.cumsum(lengths)
    genome = {
        f"s{i}": text[end - n : end] for i, (n, end) in enumerate(zip(lengths, ends, strict=True))
    }
    write_fasta(tmp_path / "many.fa", genome)
    recipe = {"genomes": [{"name": "many", "fasta": "many.fa"}], "window": 256, "margin": 0}
    recipe["dust"] = False
    too_short = r"the 512 bases that windows of 256 need \(the longest, s\d+ of many, has 49\d\)"
    with pytest.raises(DataError, match=too_short):
        build(recipe, tmp_path)
    corpus = build(recipe | {"min_contig": 256}, tmp_path)
    assert corpus.account.row(0, named=True)["short_contigs"] == (lengths < 256).sum()
    assert corpus.windows.height == sum((n - 256) // 64 + 1 for n in lengths if n >= 256)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"valid": {"genome": "a", "contigs": ["c9"]}}, "valid names contig c9, which genome a"),
        ({"valid": {"genome": "a", "contigs": ["c3"]}}, "contig c3 of genome a is for both valid"),
        (
            {"genomes": [{"name": "a", "fasta": "a.fa", "exclude": ["c9"]}]},
            "exclude names contig c9, which genome a does not have; take a name from a.fa",
        ),
    ],
)
def test_refuses_contigs_that_are_not_there(
    tmp_path: Path, recipe: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        build(recipe | change, tmp_path)
    assert not (tmp_path / "corpus").exists()


def test_says_what_empties_a_split(tmp_path: Path, recipe: dict[str, Any]) -> None:
    held_out = {"genome": "a", "contigs": ["short"]}
    with pytest.raises(DataError, match=r"no valid window is left \(every contig is too short"):
        build(recipe | {"valid": held_out}, tmp_path)
    recipe["genomes"] = [{"name": "a", "fasta": "a.fa"}]
    write_fasta(tmp_path / "a.fa", {"c1": "acgt" * 500, "c2": "ACGT" * 500, "c3": "ACGT" * 500})
    with pytest.raises(DataError, match=r"no train window is left \(repeat took 36 of 36\); relax"):
        build(recipe, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.fa", None, "does not exist"),
        ("a.fa", ">c1\nMKVLE*\n", "stands for no nucleotide"),
        ("a.fa", ">c1\nACGT\n>c1\nACGT\n", "names c1 more than once"),
        ("a.gff", "c1\tx\texon\t2901\t4000\t.\t+\t.\tID=x\n", "1 features past the ends"),
        ("a.gff", None, "does not exist"),
    ],
)
def test_refuses_files_and_leaves_nothing(
    tmp_path: Path, recipe: dict[str, Any], name: str, content: str | None, said: str
) -> None:
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=said):
        build(recipe, tmp_path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["windows.parquet", "genomes/b.marks.u8", "genomes/a/tokens.u8"])
def test_refuses_a_damaged_corpus(tmp_path: Path, recipe: dict[str, Any], name: str) -> None:
    path = build(recipe, tmp_path).path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="is missing or cut short"):
        Corpus.open(tmp_path / "corpus")


@pytest.mark.slow
def test_of_yeast_is_near_the_published_one(tmp_path: Path, shared: Path) -> None:
    """Shorkie's, of R64 alone, with RepeatMasker's repeats: 1,201, 518 and 528 windows."""
    yeast = shared / "yeast" / "genome"
    annotation = str(yeast / "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz")
    genome = {"name": "R64", "fasta": str(yeast / "sacCer3.fa.gz"), "exclude": ["chrM"]}
    recipe = {
        "genomes": [genome | {"annotation": annotation}],
        "held_out_stride": 4_096,
        "valid": {"genome": "R64", "contigs": ["chrXI", "chrXIII", "chrXV"]},
        "test": {"genome": "R64", "contigs": ["chrXII", "chrXIV", "chrXVI"]},
    }
    account = build(recipe, tmp_path).account.row(0, named=True)
    assert account["train"] == pytest.approx(1_060, abs=20)
    assert (account["valid"], account["test"]) == (608, 620)
