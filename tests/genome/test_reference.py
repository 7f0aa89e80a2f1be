import gzip
import os
import pickle
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cisgram.core.artifact import open_artifact, sha256, verify_artifact
from cisgram.core.checks import ConfigError, DataError
from cisgram.genome import streams
from cisgram.genome.alphabet import N, decode, encode, reverse_complement
from cisgram.genome.interval import Interval
from cisgram.genome.reference import Reference, cache_directory, open_reference


def build(directory: Path, text: str | bytes, name: str = "genome.fa") -> Reference:
    fasta = directory / name
    fasta.write_bytes(text.encode() if isinstance(text, str) else text)
    return Reference.from_fasta(fasta, directory / "reference", overwrite=True)


def contents(reference: Reference) -> dict[str, str]:
    return {name: decode(reference.contig(name)) for name in reference.contigs}


def test_layouts_of_the_same_records(tmp_path: Path, demo_script: ModuleType) -> None:
    expected = {"chr1": "ACGTNNACGTT", "2": "GG"}
    unix = ">chr1 a > b\tand more\nACGTnr\nacgtu\n\n>2\nGG\n"
    layouts: dict[str, bytes] = {
        "unix.fa": unix.encode(),
        "windows.fa": unix.replace("\n", "\r\n").encode(),
        "no_end.fa": unix.rstrip().encode(),
        "one_line.fa": b">chr1\nACGTNNACGTT\n>2\nG G\t\n",
        "byte_order_mark.fa": b"\xef\xbb\xbf\n" + unix.encode(),
        "plain.fa.gz": gzip.compress(unix.encode()),
        "blocks.fa.gz": demo_script.bgzip(unix.encode()),
    }
    for name, text in layouts.items():
        assert contents(build(tmp_path, text, name)) == expected, name


records = st.lists(st.text("ACGTNacgtnRYu", min_size=1, max_size=80), min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(records, st.integers(1, 30), st.integers(1, 40), st.sampled_from(["\n", "\r\n"]))
def test_the_text_may_be_cut_anywhere(
    tmp_path: Path, bases: list[str], width: int, chunk: int, end: str
) -> None:
    """Whatever the line width and the size of the pieces read, the records are the same."""
    lines: list[str] = []
    for number, sequence in enumerate(bases):
        lines.append(f">contig{number} description > {number}")
        lines += [sequence[first : first + width] for first in range(0, len(sequence), width)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_CHUNK", chunk)
        reference = build(tmp_path, end.join(lines))
    assert contents(reference) == {
        f"contig{number}": decode(encode(sequence)) for number, sequence in enumerate(bases)
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT\n", "must begin with '>'"),
        ("\n\n", "holds no FASTA record"),
        (">a\nAC\n>b\n>c\nAC\n", "has no sequence for record b"),
        (">a\nAC\n>b", "has no sequence for record b"),
        (">a\nAC\n>\nAC\n", "record without a name after a"),
        (">a\nAC\n>b\nAC\n>a x\nGG\n", "names a more than once"),
        (">P1 kinase\nMKVLAAG\n", "holds 'L' in record P1 at position 4.*not a protein"),
        (">a\nAC--GT\n", "holds '-' in record a at position 3"),
        (">a\nACGT\nAC*\n", r"holds '\*' in record a at position 7"),
        ("PK\x03\x04\x00\x00", "must begin with '>'"),
    ],
)
def test_bad_fasta_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as error:
        build(tmp_path, text)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["genome.fa"]


def test_truncated_gzip_leaves_nothing(tmp_path: Path) -> None:
    text = gzip.compress(b">a\n" + np.random.default_rng(1).choice([*b"ACGT"], 9999).tobytes())
    with pytest.raises(DataError, match=r"genome\.fa\.gz is cut short"):
        build(tmp_path, text[:-400], "genome.fa.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["genome.fa.gz"]


@pytest.mark.whole
def test_a_hundred_thousand_tiny_contigs(tmp_path: Path) -> None:
    n = 100_000
    reference = build(tmp_path, "".join(f">scaffold_{i}\nACG\nT\n" for i in range(n)))
    assert len(reference.contigs) == n
    assert decode(reference.fetch(Interval("scaffold_99999", -1, 5))) == "NACGTN"


def test_the_artifact_is_whole(tmp_path: Path) -> None:
    reference = build(tmp_path, ">a\nACGT\n>b\nGG\n")
    manifest = open_artifact(reference.path, kind="reference", version=1)
    verify_artifact(reference.path, manifest)
    assert manifest.metadata["source"] == "genome.fa"
    table = pl.read_parquet(reference.path / "contigs.parquet")
    assert table.rows() == [("a", 4, 0), ("b", 2, 4)]
    with pytest.raises(DataError, match="exists already"):
        Reference.from_fasta(tmp_path / "genome.fa", reference.path)
    contigs = reference.path / "contigs.parquet"
    whole = contigs.read_bytes()
    contigs.write_bytes(b"x" * len(whole))
    with pytest.raises(DataError, match=r"contigs\.parquet has changed since it was written"):
        Reference.open(reference.path)
    contigs.write_bytes(whole)
    (reference.path / "tokens.u8").write_bytes(b"\0")
    with pytest.raises(DataError, match="missing or cut short"):
        Reference.open(reference.path)


def test_the_mapped_genome_cannot_be_written(tmp_path: Path) -> None:
    reference = build(tmp_path, ">a\nACGT\n")
    with pytest.raises(ValueError, match="read-only"):
        reference.contig("a")[0] = N
    fetched = reference.fetch(Interval("a", 0, 4))
    fetched[:] = N
    assert contents(reference) == {"a": "ACGT"}


def test_a_reference_travels_as_its_path(tmp_path: Path) -> None:
    reference = build(tmp_path, ">a\n" + "ACGT" * 100_000)
    message = pickle.dumps(reference)
    assert len(message) < 1000
    assert contents(pickle.loads(message)) == contents(reference)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return build(tmp_path_factory.mktemp("small"), ">chr1\nTTGCA\n>chrM\nACGTACGTAC\n>chr3\nGGG\n")


@given(st.integers(-30, 30), st.integers(1, 40), st.sampled_from("+-."))
def test_fetch_pads_with_n(small: Reference, start: int, length: int, strand: str) -> None:
    bases = dict(enumerate("ACGTACGTAC"))
    expected = encode("".join(bases.get(at, "N") for at in range(start, start + length)))
    tokens = small.fetch(Interval("MT", start, start + length, strand))
    np.testing.assert_array_equal(
        tokens, reverse_complement(expected) if strand == "-" else expected
    )


def test_what_lies_past_a_contig_is_refused(small: Reference) -> None:
    name, size = next(iter(small.contigs.items()))
    small.check_inside(Interval(name, 0, size))
    for start, end in ((-1, size), (0, size + 1)):
        with pytest.raises(ConfigError, match=f"reaches past the {size:,} bases of {name}; name"):
            small.check_inside(Interval(name, start, end))


def test_unknown_contigs_are_named(small: Reference) -> None:
    with pytest.raises(DataError, match=r"chromosome chr9 is not in reference .*chr1, chrM, chr3"):
        small.fetch(Interval("chr9", 0, 1))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_fasta_is_built_once(tmp_path: Path, cache: Path) -> None:
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">a\nACGT\n")
    first = open_reference(fasta)
    assert first.path == cache / "references" / sha256(fasta)
    built = (first.path / "tokens.u8").stat().st_mtime_ns
    copy = tmp_path / "copy.fa"
    copy.write_bytes(fasta.read_bytes())
    assert open_reference(copy).path == first.path
    assert (first.path / "tokens.u8").stat().st_mtime_ns == built
    assert contents(open_reference(first.path)) == {"a": "ACGT"}
    fasta.write_text(">a\nACGG\n")
    assert contents(open_reference(fasta)) == {"a": "ACGG"}
    assert len(list((cache / "references").iterdir())) == 2


def test_a_damaged_cache_is_built_again(tmp_path: Path, cache: Path) -> None:
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">a\nACGT\n")
    (open_reference(fasta).path / "tokens.u8").write_bytes(b"")
    assert contents(open_reference(fasta)) == {"a": "ACGT"}


@pytest.mark.parametrize("manifest", [None, "{"])
def test_what_is_left_in_the_cache_is_built_again(
    tmp_path: Path, cache: Path, manifest: str | None
) -> None:
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">a\nACGT\n")
    left = cache / "references" / sha256(fasta)
    left.mkdir(parents=True)
    if manifest is not None:
        (left / "manifest.json").write_text(manifest)
    assert contents(open_reference(fasta)) == {"a": "ACGT"}


@pytest.mark.usefixtures("cache")
def test_what_is_no_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no cisgram reference"):
        open_reference(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        open_reference(tmp_path / "absent.fa")


def test_the_cache_lies_where_the_user_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CISGRAM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_directory() == Path("/somewhere/cisgram")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == Path(os.environ["HOME"]) / ".cache" / "cisgram"


def test_real_genomes_have_their_known_lengths(shared: Path, tmp_path: Path) -> None:
    yeast = Reference.from_fasta(shared / "yeast" / "genome" / "sacCer3.fa.gz", tmp_path / "yeast")
    assert sum(yeast.contigs.values()) == 12_157_105
    assert len(yeast.contigs) == 17
    assert yeast.contigs["chrM"] == yeast.contig("Mito").size == 85_779
    # GAL4, YPL248C: an open reading frame on the minus strand of chromosome XVI.
    gal4 = decode(yeast.fetch(Interval("XVI", 79_710, 82_356, "-")))
    assert gal4.startswith("ATGAAGCTACTGTCTTCTATCGAA")
    assert gal4.endswith("TAA")


def test_a_device_that_never_ends_is_no_reference() -> None:
    with pytest.raises(DataError, match="reference /dev/zero is a pipe or a device"):
        open_reference("/dev/zero")
