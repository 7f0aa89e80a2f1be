import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.core.config import from_plain
from cisgram.data.base import data_kind
from cisgram.data.outputs import Geometry
from cisgram.data.targets import Targets
from cisgram.data.targets_build import build_targets
from cisgram.data.targets_config import TargetsConfig
from cisgram.genome.alphabet import reverse_complement
from cisgram.genome.bigwig import write_bigwig
from cisgram.genome.interval import Interval
from training.small_targets import LENGTH, STEP, write_sources

GEOMETRY = Geometry(window=128, resolution=4, margin=16)


def built(directory: Path, **changes: object) -> Targets:
    plain = write_sources(directory) | changes
    config = from_plain(TargetsConfig, plain, "[targets]")
    return build_targets(config, directory / "targets", geometry=GEOMETRY)


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Targets:
    return built(tmp_path_factory.mktemp("targets"))


def test_predicted_stretches_tile_every_contig(targets: Targets) -> None:
    starts = targets.windows.filter(chrom="c0")["start"].to_list()
    covered = set()
    for start in starts:
        covered |= set(range(start + 16, start + 112))
    assert covered == set(range(16, LENGTH - 16))
    assert dict(targets.windows.select("chrom", "split").unique().rows()) == {
        "c0": "train", "c1": "train", "c2": "valid", "c3": "test",
    }  # fmt: skip


def test_the_other_strand_turns_sequence_signal_and_genes_together(targets: Targets) -> None:
    forward, backward = (targets.batch([Interval("c0", 200, 328, strand)]) for strand in ("+", "-"))
    np.testing.assert_array_equal(reverse_complement(forward.tokens), backward.tokens)
    np.testing.assert_array_equal(forward.counts[:, ::-1, ::-1], backward.counts)
    assert (forward.counts[..., 0] != forward.counts[..., 1]).any()
    n_bins = 96 // 4
    np.testing.assert_array_equal(n_bins - forward.gene_bins[:, ::-1], backward.gene_bins)
    np.testing.assert_array_equal(forward.gene_opposes, ~backward.gene_opposes)
    np.testing.assert_array_equal(forward.values, backward.values)


def test_genes_are_those_mostly_inside(targets: Targets) -> None:
    batch = targets.batch([Interval("c0", 200, 328, "+"), Interval("c0", 208, 336, "+")])
    # Bins reach from base 216 to 312, and from 224 to 320: genes 240 to 279, 280 to 319.
    inside = {(0, 240, 24 // 4), (0, 280, 64 // 4), (1, 240, 16 // 4), (1, 280, 56 // 4)}
    found = {(w, 0, f) for w, (f, _) in zip(batch.gene_window, batch.gene_bins, strict=True)}
    assert found == {(w, 0, f) for w, _, f in inside}
    assert batch.gene_bins.max() == 96 // 4


def test_targets_are_scaled_by_what_is_trained_on(targets: Targets) -> None:
    rows = targets.split("train")
    counts = np.stack([targets.counts(targets.interval(int(row), "+")) for row in rows])
    assert counts.mean() == pytest.approx(1, rel=1e-5)
    training = targets.genes["split"].to_numpy() == "train"
    worth = targets.values[training, 0]
    assert targets.outputs.scale == targets.scale
    mean, sd = targets.scale.gene_moments[0]
    assert mean == pytest.approx(np.nanmean(worth), rel=1e-5)
    assert sd == pytest.approx(np.nanstd(worth), rel=1e-5)
    assert np.isnan(worth).any()
    # Both strands share their mean, so that they can be compared.
    assert targets.scale.track_means[0] == targets.scale.track_means[1]


def test_shifts_stop_at_the_contigs_ends(targets: Targets) -> None:
    first, last = 0, len(targets.windows.filter(chrom="c0")) - 1
    assert targets.interval(first, "+", shift=-48).start == 0
    assert targets.interval(last, "+", shift=48).end == LENGTH


def test_windows_like_held_out_contigs_are_not_trained_on(tmp_path: Path) -> None:
    pytest.importorskip("mappy")
    plain = write_sources(tmp_path)
    text = (tmp_path / "toy.fa").read_text().splitlines()
    text[1] = text[1][:1000] + text[7][:1000]  # the second half of c0 is the first of c3
    (tmp_path / "toy.fa").write_text("\n".join(text) + "\n")
    plain.pop("homology")
    config = from_plain(TargetsConfig, plain, "[targets]")
    targets = build_targets(config, tmp_path / "targets", geometry=GEOMETRY)
    starts = targets.windows.filter(chrom="c0")["start"]
    assert starts.max() < 1000 < targets.windows.filter(chrom="c1")["start"].max()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"valid": ["c9"]}, ConfigError, "valid names contig c9"),
        ({"valid": ["c3"]}, ConfigError, "contig c3 is for both valid and test"),
        ({"tracks": []}, ConfigError, "at least one of tracks"),
        ({"genes": None}, ConfigError, "genes and annotation in .data. go together"),
        ({"exclude": ["c0", "c1"]}, DataError, "no train window is left"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    changes: dict[str, object], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        built(tmp_path, **changes)
    assert not (tmp_path / "targets").exists()


def test_genes_of_another_annotation_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.tsv"
    other.write_text("gene\tworth\nYFG1\t2\nYFG2\t3\n")
    with pytest.raises(DataError, match="none of the genes"):
        built(tmp_path, genes=str(other))


@pytest.mark.parametrize("lacking", ["c2", "c3"])
def test_held_out_contigs_without_signal_are_refused(lacking: str, tmp_path: Path) -> None:
    """Zeros would choose the weights, or test them."""
    plain = write_sources(tmp_path)
    kept = [f"c{number}" for number in range(4) if f"c{number}" != lacking]
    signal = {chrom: np.ones(LENGTH, np.float32) for chrom in kept}
    write_bigwig(tmp_path / "minus.bw", signal, contigs=dict.fromkeys(kept, LENGTH))
    config = from_plain(TargetsConfig, plain, "[targets]")
    with pytest.raises(DataError, match=f"contig {lacking} has no signal of track word-"):
        build_targets(config, tmp_path / "targets", geometry=GEOMETRY)


def test_a_gene_is_as_long_as_its_annotation_says(targets: Targets) -> None:
    assert (targets.genes["end"] - targets.genes["start"]).unique().to_list() == [STEP]


def test_training_windows_move_and_come_on_either_strand(targets: Targets) -> None:
    examples = np.zeros(64, dtype=np.int64)
    batch = targets.train_batch(examples, np.random.default_rng(0))
    first = targets.interval(int(targets.split("train")[0]), "+")
    contig = targets.reference.contig(first.chrom)
    starts, strands = [], []
    for window in batch.tokens:
        for strand, own in (("+", window), ("-", reverse_complement(window))):
            found = [s for s in range(0, 128, 4) if (contig[s : s + 128] == own).all()]
            starts, strands = starts + found, strands + [strand] * len(found)
    assert len(starts) == 64
    # Half of the 96 predicted bases to the right; to the left the contig ends.
    assert (min(starts), max(starts)) == (0, 48)
    assert 0.3 < np.mean(np.array(strands) == "+") < 0.7


def test_validation_windows_come_on_both_strands(targets: Targets) -> None:
    batches = list(targets.valid_batches(5))
    tokens = np.concatenate([batch.tokens for _, batch in batches])
    assert sum(n for n, _ in batches) == len(tokens) == 2 * len(targets.split("valid"))
    np.testing.assert_array_equal(reverse_complement(tokens[0::2]), tokens[1::2])


def test_targets_say_what_is_learnt_from_them(targets: Targets, tmp_path: Path) -> None:
    assert targets.outputs.names == ("word+", "word-")
    assert targets.outputs.gene_targets == ("worth",)
    assert (targets.outputs.row, targets.outputs.resolution, targets.outputs.margin) == (
        "bin",
        4,
        16,
    )
    assert targets.outputs.activation == "softplus"
    assert targets.outputs.both_strands
    assert targets.describe(np.array([0])) == "windows c0:1-128"
    again = pickle.loads(pickle.dumps(targets))  # as other processes get them
    assert again.outputs == targets.outputs
    units = {"word": "reads", "worth": "log2"}
    known = built(tmp_path, units=units).outputs.units
    assert known == {"word+": "reads", "word-": "reads", "worth": "log2"}
    assert data_kind("tracks", "[data]").open == Targets.open


def test_what_is_known_before_any_file_is_read(targets: Targets) -> None:
    expected = targets.config.expected_outputs(GEOMETRY)
    assert expected == replace(targets.outputs, gene_targets=(), scale=None)
    assert targets.config.expected_outputs(Geometry(window=128)).row == "base"
