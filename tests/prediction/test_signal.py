"""Predictions along regions, against windows read by themselves."""

from pathlib import Path

import numpy as np
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.genome.bigwig import BigWig
from cisgram.genome.interval import Interval
from cisgram.prediction.predict import predict
from cisgram.prediction.session import Session
from cisgram.prediction.signal import Signal, predict_signal, write_bigwigs
from limits import small_files
from prediction.toy_session import (
    by_hand,
    language_model,
    session,
    track_model,
    window_model,
    write_genome,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("signal")
    write_genome(place)
    return place


@pytest.fixture(scope="module")
def toy(place: Path) -> Session:
    return session(track_model(), place)


def signal(toy: Session, *regions: Interval) -> list[np.ndarray]:
    return [own.values for own in predict_signal(toy, regions, toy.reference)]


def around(toy: Session, start: int) -> np.ndarray:
    """The prediction of a single window."""
    return by_hand(toy.model, toy.reference.fetch(Interval("c0", start, start + 128)))


def test_regions_are_read_window_after_window(toy: Session) -> None:
    forward, backward = signal(toy, Interval("c0", 200, 392, "+"), Interval("c0", 200, 392, "-"))
    assert forward.shape == (48, 3)
    # Both tile alike: two windows of 24 bins of 4 bases.
    np.testing.assert_allclose(forward, backward[::-1][:, [1, 0, 2]], rtol=1e-3)
    np.testing.assert_allclose(forward[24:], around(toy, 280), rtol=1e-4)
    assert np.abs(forward[:, 0] - forward[:, 1]).max() > 0.01


def test_a_short_region_lies_in_the_middle_of_its_window(toy: Session) -> None:
    (found,) = signal(toy, Interval("c0", 300, 340))
    # Of 24 bins of 4 bases, 7 lie before these ten, and 16 bases have none.
    np.testing.assert_allclose(found, around(toy, 300 - 28 - 16)[7:17], rtol=1e-4)


def test_many_windows_are_read_as_each_alone(toy: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    regions = [Interval("c0", 0, 700), Interval("c2", 5, 95), Interval("c1", 3, 4)]
    together = signal(toy, *regions)
    monkeypatch.setattr("cisgram.prediction.signal._AT_ONCE", 2)
    for one, other in zip(signal(toy, *regions), together, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)


def test_rows_count_from_the_start_of_a_region_along_its_strand(toy: Session) -> None:
    (found,) = predict_signal(toy, [Interval("c0", 300, 341, "-")], toy.reference)
    rows = found.table.select("chrom", "start", "end", "strand").rows()
    assert len(rows) == 11
    assert rows[0] == ("c0", 337, 341, "-")
    assert rows[-1] == ("c0", 297, 301, "-")  # the last reaches past the region's end
    assert found.columns[4:] == ["word+", "word-", "both"]


def test_arrays_say_where_they_are(toy: Session, tmp_path: Path) -> None:
    (found,) = predict_signal(toy, [Interval("c0", 300, 340)], toy.reference)
    found.write_arrays(tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as arrays:
        assert set(arrays) == {"signal", "names", "region", "resolution"}
        assert (str(arrays["region"]), int(arrays["resolution"])) == ("c0:301-340", 4)
        np.testing.assert_array_equal(arrays["signal"], found.values)


def test_bigwigs_share_rows_evenly_by_their_bases(toy: Session, tmp_path: Path) -> None:
    regions = [Interval("c0", 200, 392), Interval("c1", 0, 10)]
    signals = predict_signal(toy, regions, toy.reference)
    write_bigwigs(signals, toy.reference, tmp_path / "new" / "bw")
    names = {path.name for path in (tmp_path / "new" / "bw").iterdir()}
    assert names == {"word+.bw", "word-.bw", "both.bw"}
    with BigWig(tmp_path / "new" / "bw" / "word-.bw") as file:
        found = file.values(regions[0]).reshape(-1, 4).sum(axis=1)
        last = file.values(regions[1])
    np.testing.assert_allclose(found, signals[0].values[:, 1], rtol=1e-3)
    np.testing.assert_allclose(last[8:], signals[1].values[2, 1] / 4, rtol=1e-3)


def test_bigwigs_of_a_region_on_the_reverse_strand(toy: Session, tmp_path: Path) -> None:
    """Its first row has its last bases, and its own strand is the genome's other."""
    region = Interval("c0", 200, 390, "-")
    signals = predict_signal(toy, [region], toy.reference)
    write_bigwigs(signals, toy.reference, tmp_path / "bw")
    expected = np.repeat(signals[0].values / 4, 4, axis=0)[:190][::-1]
    for name, column in (("word+", 1), ("word-", 0), ("both", 2)):
        with BigWig(tmp_path / "bw" / f"{name}.bw") as file:
            found = file.values(Interval("c0", 200, 390))
        np.testing.assert_allclose(found, expected[:, column], rtol=1e-3)


def test_language_models_predict_bases_along_a_region(place: Path) -> None:
    own = session(language_model(), place)
    (found,) = predict_signal(own, [Interval("c0", 300, 340, "-")], own.reference)
    assert (found.names, found.resolution) == (("A", "C", "G", "T"), 1)
    np.testing.assert_allclose(found.values.sum(axis=1), 1, rtol=1e-5)
    (plus,) = predict_signal(own, [Interval("c0", 300, 340)], own.reference)
    assert plus.values.shape == found.values.shape


def test_what_has_no_signal_is_refused(toy: Session, place: Path) -> None:
    with pytest.raises(ConfigError, match="toy predicts whole windows of 40 bases and nothing"):
        predict_signal(session(window_model(), place), [Interval("c0", 0, 9)], toy.reference)
    with pytest.raises(ConfigError, match="reaches past the 2,000 bases of c0"):
        signal(toy, Interval("c0", 1_989, 2_040))
    with pytest.raises(DataError, match="c7"):
        signal(toy, Interval("c7", 0, 9))


def test_the_signal_of_one_region_is_what_is_drawn(toy: Session) -> None:
    found = predict(toy, "c0:301-340")
    assert isinstance(found.signals[0], Signal)
    assert "predicted signal" in found.plot().get_suptitle()
    assert "Predictions" in predict(toy, ["c0:301-340", "c1:1-9"]).plot().get_suptitle()


def test_a_full_disk_leaves_no_bigwig(toy: Session, tmp_path: Path) -> None:
    signals = predict_signal(toy, [Interval("c0", 100, 400)], toy.reference)
    with pytest.raises(DataError, match=r"cannot write .*bw: the disk is full"), small_files(500):
        write_bigwigs(signals, toy.reference, tmp_path / "bw")
    assert list(tmp_path.iterdir()) == []
