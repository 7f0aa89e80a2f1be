import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import from_plain, to_plain
from cisgram.data.tokenizer import (
    FIRST_LETTER,
    FIRST_WORD,
    BpeTokenizer,
    Special,
    TokenizerConfig,
    build_tokenizer,
    load_tokenizer,
    save_tokenizer,
    train_bpe,
)
from cisgram.genome import alphabet
from cisgram.genome.reference import Reference

SEQUENCES = st.text("ACGTN", max_size=60).map(alphabet.encode)
KMERS = st.tuples(st.integers(2, 6), st.integers(1, 6)).map(
    lambda pair: TokenizerConfig(kind="kmer", k=pair[0], stride=min(pair))
)
MERGES = ("A C", "AC G", "T T", "TT T", "G AC", "AC AC", "TT TT")
BPE = build_tokenizer(TokenizerConfig(kind="bpe", merges=MERGES))


def cut(tokenizer, text: str) -> list[str]:
    """Return the letters that each token covers."""
    return [text[start:end] for start, end in tokenizer.encode(alphabet.encode(text)).spans]


def kmers(k: int, stride: int | None = None):
    return build_tokenizer(TokenizerConfig(kind="kmer", k=k, stride=stride))


def assert_tiles(spans: np.ndarray, length: int) -> None:
    ends = np.concatenate([[0], spans[:, 1]])
    assert ends[:-1].tolist() == spans[:, 0].tolist()
    assert ends[-1] == length
    assert (spans[:, 0] < spans[:, 1]).all()


@given(SEQUENCES)
def test_single_bases_tile_and_come_back(tokens):
    tokenizer = build_tokenizer(TokenizerConfig())
    encoded = tokenizer.encode(tokens)
    assert_tiles(encoded.spans, len(tokens))
    assert (encoded.ids == FIRST_LETTER + tokens).all()
    assert (tokenizer.decode(encoded.ids) == tokens).all()


@given(SEQUENCES, st.integers(2, 6))
def test_kmers_tile_and_come_back(tokens, k):
    tokenizer = kmers(k)
    encoded = tokenizer.encode(tokens)
    assert_tiles(encoded.spans, len(tokens))
    assert encoded.ids.max(initial=0) < tokenizer.vocabulary_size
    assert (tokenizer.decode(encoded.ids) == tokens).all()


@given(SEQUENCES, KMERS)
def test_overlapping_kmers_cover_and_come_back(tokens, config):
    tokenizer = build_tokenizer(config)
    encoded = tokenizer.encode(tokens)
    covered = np.zeros(len(tokens), dtype=bool)
    for start, end in encoded.spans:
        covered[start:end] = True
        assert end - start in (1, config.k)
    assert covered.all()
    assert (np.diff(encoded.spans[:, 0]) > 0).all()
    assert (tokenizer.decode(encoded.ids) == tokens).all()


@given(SEQUENCES)
def test_byte_pairs_tile_and_come_back(tokens):
    encoded = BPE.encode(tokens)
    assert_tiles(encoded.spans, len(tokens))
    assert (BPE.decode(encoded.ids) == tokens).all()


@given(SEQUENCES, st.sampled_from([(2, 2), (3, 1), (6, 6), (4, 3)]))
def test_tokens_are_those_of_a_slow_reading(tokens, shape):
    """Words by their letters, run by run, as the Nucleotide Transformer's rules are told."""
    k, stride = shape
    text, expected, start = alphabet.decode(tokens), [], 0
    for run in text.split("N"):
        covered = 0
        while (covered == 0 and len(run) >= k) or (
            covered and covered - k + stride + k <= len(run)
        ):
            first = covered - k + stride if covered else 0
            expected.append((start + first, run[first : first + k]))
            covered = first + k
        expected += [(start + i, run[i]) for i in range(covered, len(run))]
        expected.append((start + len(run), "N"))
        start += len(run) + 1
    encoded = kmers(k, stride).encode(tokens)
    words = {4: "A", 5: "C", 6: "G", 7: "T", 8: "N"}
    digits = [[number // 4**i % 4 for i in reversed(range(k))] for number in range(4**k)]
    words |= {9 + i: "".join("ACGT"[digit] for digit in row) for i, row in enumerate(digits)}
    got = [
        (int(span[0]), words[int(i)]) for i, span in zip(encoded.ids, encoded.spans, strict=True)
    ]
    assert got == expected[:-1]


def test_kmers_start_anew_after_an_unknown_base():
    assert cut(kmers(6), "ACGTNACGTACGTT") == [*"ACGTN", "ACGTAC", *"GTT"]
    assert cut(kmers(3, 1), "ACGTANAC") == ["ACG", "CGT", "GTA", "N", "A", "C"]
    assert cut(kmers(6), "ACG") == list("ACG")


def test_words_have_the_size_of_the_nucleotide_transformers_vocabulary():
    assert kmers(6).vocabulary_size == 4_105
    assert kmers(6).encode(alphabet.encode("A" * 6 + "T" * 6)).ids.tolist() == [9, 4_104]


def test_special_ids_stand_for_no_base():
    for tokenizer in (build_tokenizer(TokenizerConfig()), kmers(3), BPE):
        ids = tokenizer.encode(alphabet.encode("ACGTTTN")).ids
        framed = np.array([Special.CLS, *ids, Special.SEP, Special.PAD, Special.PAD])
        assert alphabet.decode(tokenizer.decode(framed)) == "ACGTTTN"
        assert ids.min() >= FIRST_LETTER


def slow_byte_pairs(text: str, merges: tuple[str, ...]) -> list[str]:
    """Apply the earliest learned merge that fits, leftmost first, until none fits."""
    words = list(text)
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    while True:
        pairs = enumerate(pairwise(words))
        found = [(ranks.get(pair, len(merges)), i) for i, pair in pairs]
        if not found or min(found)[0] == len(merges):
            return words
        i = min(found)[1]
        words[i : i + 2] = ["".join(words[i : i + 2])]


@given(st.text("ACGTN", max_size=40))
def test_byte_pairs_are_joined_in_the_order_they_were_learned(text):
    assert cut(BPE, text) == slow_byte_pairs(text, MERGES)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("ACGT", min_size=1, max_size=30), min_size=1, max_size=5))
def test_the_first_pair_learned_is_the_most_frequent(texts):
    pairs: dict[str, int] = {}
    for text in texts:
        for left, right in pairwise(text):
            pairs[f"{left} {right}"] = pairs.get(f"{left} {right}", 0) + 1
    contigs = [alphabet.encode(text) for text in texts]
    try:
        learned = train_bpe(contigs, vocabulary_size=FIRST_WORD + 1, piece=30).config.merges
    except DataError:
        assert not pairs
        return
    assert len(learned) == 1
    assert pairs[learned[0]] == max(pairs.values())


def test_training_finds_words_that_recur(rng):
    words = ["GATTACA", "CCGGT", "TATAAA"]
    text = "".join(rng.choice(words, 3_000))
    contigs = [alphabet.encode(text), alphabet.encode("NNN" + text[:500] + "N")]
    tokenizer = train_bpe(contigs, vocabulary_size=40)
    assert tokenizer.vocabulary_size == 40
    assert any("GATTACA" in word for word in set(cut(tokenizer, text)))
    assert len(text) / len(cut(tokenizer, text)) > 4
    assert train_bpe(contigs, vocabulary_size=40).config == tokenizer.config
    assert cut(tokenizer, "NNAN") == ["N", "N", "A", "N"]


def test_a_vocabulary_is_as_large_as_the_sequences_allow():
    tokenizer = train_bpe([alphabet.encode("ACGACG")], vocabulary_size=4_096)
    assert FIRST_WORD < tokenizer.vocabulary_size < 20
    with pytest.raises(DataError, match="no byte pairs to learn"):
        train_bpe([alphabet.encode("NNNN"), alphabet.encode("A")])


def test_tokenizers_are_kept_in_files(tmp_path):
    for tokenizer in (build_tokenizer(TokenizerConfig()), kmers(4, 2), BPE):
        save_tokenizer(tmp_path / "tokenizer.json", tokenizer)
        again = load_tokenizer(tmp_path / "tokenizer.json")
        assert again.config == tokenizer.config
        assert again.vocabulary_size == tokenizer.vocabulary_size
        assert cut(again, "ACGTTTTNACGACG") == cut(tokenizer, "ACGTTTTNACGACG")


def test_a_recipe_names_a_file_and_a_model_keeps_what_it_holds(tmp_path):
    save_tokenizer(tmp_path / "bpe.json", BPE)
    plain = {"kind": "bpe", "file": str(tmp_path / "bpe.json")}
    config = from_plain(TokenizerConfig, plain, "recipe")
    assert config.merges == MERGES
    (tmp_path / "bpe.json").unlink()
    again = from_plain(TokenizerConfig, to_plain(config), "model")
    assert again == config


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", "no json", '{"format": "cisgram tokenizer", "version": 9, "tokenizer": {}}'],
)
def test_other_files_are_refused(tmp_path: Path, content: str):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=r"x\.json"):
        load_tokenizer(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "words"}, "kind of the tokenizer must be one of base, kmer, bpe; got 'words'"),
        ({"kind": "kmer", "k": 1}, "k must be between 2 and 8; got 1"),
        ({"kind": "kmer", "k": 4, "stride": 5}, "stride must be between 1 and 4; got 5"),
        ({"kind": "bpe"}, "got bpe with 0"),
        ({"merges": ("A C",)}, "got base with 1"),
        ({"kind": "bpe", "merges": ("A C", "CG T")}, "got 'CG T'"),
        ({"kind": "bpe", "merges": ("A N",)}, "got 'A N'"),
        ({"kind": "bpe", "merges": ("AC",)}, "got 'AC'"),
    ],
)
def test_what_cannot_be_used_is_named(fields, message):
    with pytest.raises(ConfigError, match=message):
        TokenizerConfig(**fields)


def test_a_missing_library_is_answered_with_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"pip install '.*\[lm\]'"):
        BpeTokenizer(TokenizerConfig(kind="bpe", merges=MERGES))
    assert kmers(3).encode(alphabet.encode("ACG")).ids.size == 1


def test_byte_pairs_of_a_real_chromosome(shared, tmp_path):
    fasta = shared / "yeast" / "genome" / "sacCer3.fa.gz"
    contig = Reference.from_fasta(fasta, tmp_path / "genome").contig("chrI")
    tokenizer = train_bpe([contig], vocabulary_size=512)
    encoded = tokenizer.encode(contig)
    assert_tiles(encoded.spans, len(contig))
    assert (tokenizer.decode(encoded.ids) == contig).all()
    # Four letters that were random would need 4.0 to 4.5 bases a token of a vocabulary of 512.
    assert 3.5 < len(contig) / len(encoded.ids) < 5
    assert len(np.unique(encoded.ids)) > 490
