"""What is kept on disk changes no prediction, and survives whatever becomes of its writers."""

import multiprocessing
import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from cisgram.cli.app import main
from cisgram.core.checks import DataError
from cisgram.core.verify import verify
from cisgram.genome.alphabet import decode
from cisgram.models.base import SplitModel
from cisgram.prediction import feature_cache
from cisgram.prediction.feature_cache import FeatureCache, model_hash
from cisgram.prediction.reuse import Predictions, ReuseConfig, predict_sequences
from cisgram.prediction.tiles import DIGEST_BYTES, Tile
from models.tiny import tiny, tiny_enformer, tiny_lm, tiny_tracks
from prediction.test_reuse import family, relative
from prediction.toy_session import gene_model, write_genome, write_model

WINDOWS = family(0, n=5, length=256)
TILE = 64
TOLERANCE = 1e-6  # of the largest value, where the cache has some of the tiles


@pytest.fixture
def model() -> SplitModel:
    return tiny_tracks()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "features"


def predict(
    model: SplitModel,
    cache: FeatureCache | None,
    windows: np.ndarray = WINDOWS,
    *,
    tile: int = TILE,
    species: int = 0,
) -> Predictions:
    config = ReuseConfig(tile=tile, cache=cache)
    return predict_sequences(model, windows, species=species, config=config)


def file_of(place: Path) -> Path:
    return place / "features.sqlite"


def n_kept(place: Path) -> int:
    with closing(sqlite3.connect(file_of(place))) as database:
        return database.execute("SELECT count(*) FROM parts").fetchone()[0]


@pytest.mark.parametrize("make", [tiny_tracks, tiny_lm, tiny_enformer])
def test_what_is_read_back_predicts_the_same_to_the_last_bit(make, place: Path) -> None:
    model = make()
    without = predict(model, None)
    cold, warm = (predict(model, FeatureCache(place)) for _ in range(2))
    np.testing.assert_array_equal(cold.values, without.values)
    np.testing.assert_array_equal(warm.values, without.values)
    assert cold.account.n_distinct_tiles == without.account.n_distinct_tiles == n_kept(place)
    assert cold.account.n_cached_tiles == 0
    assert warm.account.n_cached_tiles == n_kept(place)
    assert (warm.account.n_distinct_tiles, warm.account.bases_read) == (0, 0)
    assert warm.account.seconds["cache"] > 0


def test_only_tiles_that_are_new_are_computed(model: SplitModel, place: Path) -> None:
    cache = FeatureCache(place)
    first = predict(model, cache, WINDOWS[:2]).account
    both = predict(model, cache)
    plain = predict(model, None)
    assert both.account.n_cached_tiles >= first.n_distinct_tiles > 0
    n_tiles = both.account.n_cached_tiles + both.account.n_distinct_tiles
    assert n_tiles == plain.account.n_distinct_tiles == n_kept(place)
    assert 0 < both.account.bases_read < plain.account.bases_read
    assert relative(both.values, plain.values) < TOLERANCE
    assert cache.account.startswith(
        f"{cache.n_found:,} of {cache.n_asked:,} tiles were in {place}, which takes"
    )


def test_tiles_of_other_models_species_and_sizes_are_others(model: SplitModel, place: Path) -> None:
    cache = FeatureCache(place)
    predict(model, cache)
    other = tiny_tracks()
    with torch.no_grad():
        other.trunk.stem.bias[0] += 1
    for read in (
        lambda kept: predict(model, kept, species=1),
        lambda kept: predict(model, kept, tile=2 * TILE),
        lambda kept: predict(other, kept),
        lambda kept: predict(model.double(), kept),
    ):
        found = read(cache)
        assert found.account.n_cached_tiles == 0
        np.testing.assert_array_equal(found.values, read(None).values)


def test_weights_that_change_are_noticed_and_only_then_hashed(
    model: SplitModel, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    monkeypatch.setattr(
        feature_cache, "model_hash", lambda one: hashed.append(one) or model_hash(one)
    )
    cache = FeatureCache(place)
    for _ in range(2):
        predict(model, cache)
    assert len(hashed) == 1
    with torch.no_grad():
        for value in model.parameters():
            value.mul_(1.1)
    found = predict(model, cache)
    assert (len(hashed), found.account.n_cached_tiles) == (2, 0)
    np.testing.assert_array_equal(found.values, predict(model, None).values)


def test_tiles_are_told_apart_by_all_that_their_features_depend_on() -> None:
    tiles = [Tile(1, 2, b"\0\1\2\3"), Tile(2, 1, b"\0\1\2\3"), Tile(1, 2, b"\0\1\2\0")]
    tiles += [Tile(1, 3, b"\0\1\2\3"), Tile(1, 2, b"\0\1\2")]
    assert len({tile.digest for tile in tiles}) == len(tiles)
    assert {len(tile.digest) for tile in tiles} == {DIGEST_BYTES}


def test_a_model_without_a_local_part_keeps_nothing(place: Path) -> None:
    found = predict_sequences(
        tiny("bert"),
        family(0, n=3, length=24),
        config=ReuseConfig(cache=FeatureCache(place)),
    )
    assert found.account.n_cached_tiles == 0
    assert not place.exists()


def rows_of(tiles: list[Tile]) -> tuple[torch.Tensor, ...]:
    """Features that say whose they are."""
    numbers = torch.tensor([float(sum(tile.tokens)) for tile in tiles])
    return numbers[:, None, None].expand(-1, 3, 2), numbers.half()[:, None, None].expand(-1, 1, 7)


def keep(cache: FeatureCache, model: SplitModel, numbers: list[int]) -> None:
    tiles = [Tile(0, 4, bytes([number, 0, 0, 0])) for number in numbers]
    cache.add(model, tiles, rows_of(tiles), size=TILE, species=0)


def check_kept(cache: FeatureCache, model: SplitModel, numbers: range) -> None:
    tiles = [Tile(0, 4, bytes([number, 0, 0, 0])) for number in numbers]
    found, levels = cache.find(model, tiles, size=TILE, species=0)
    assert found == tiles
    for level, expected in zip(levels, rows_of(tiles), strict=True):
        torch.testing.assert_close(level, expected.contiguous(), rtol=0, atol=0)


def test_a_tile_that_is_edited_is_noticed(model: SplitModel, place: Path) -> None:
    cache = FeatureCache(place)
    keep(cache, model, [1, 2])
    assert verify(place)[0].endswith("2 entries are as they were written.")
    with closing(sqlite3.connect(file_of(place))) as database, database:
        database.execute("UPDATE parts SET features = zeroblob(length(features))")
    for read in (lambda: check_kept(cache, model, range(1, 3)), lambda: verify(place)):
        with pytest.raises(DataError, match=r"features.sqlite has changed since it was written"):
            read()


def test_writers_that_take_turns_see_each_other_and_keep_nothing_twice(
    model: SplitModel, place: Path
) -> None:
    one, other = FeatureCache(place), FeatureCache(place)
    keep(one, model, [0, 1, 2])
    keep(other, model, [2, 3, 1])
    keep(one, model, [4, 3])
    keep(other, model, [0, 5])
    for cache in (one, other):
        check_kept(cache, model, range(6))
    assert n_kept(place) == 6


def write_many(place: Path, seed: int) -> None:
    cache, model = FeatureCache(place), tiny_tracks()
    numbers = np.random.default_rng(seed).permutation(30)
    for part in numbers.reshape(-1, 3):
        keep(cache, model, part.tolist())
        keep(cache, model, [30 + seed])


def test_processes_that_write_at_once_corrupt_nothing(model: SplitModel, place: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_many, args=(place, seed)) for seed in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    check_kept(FeatureCache(place), model, range(33))
    assert n_kept(place) == 33


def die_while_writing(place: Path) -> None:
    """Leave a transaction behind, its journal and some of its pages on disk."""
    database = sqlite3.connect(file_of(place), isolation_level=None)
    database.execute("PRAGMA cache_size = 1")
    database.execute("BEGIN")
    for number in range(100):
        database.execute(
            "INSERT INTO parts VALUES (?, '', ?, '')", (bytes([number]), bytes(10_000))
        )
    os._exit(0)


def test_a_writer_that_is_killed_leaves_nothing(model: SplitModel, place: Path) -> None:
    keep(FeatureCache(place), model, [0, 1, 2])
    process = multiprocessing.get_context("fork").Process(target=die_while_writing, args=(place,))
    process.start()
    process.join(60)
    assert file_of(place).with_name("features.sqlite-journal").exists()
    check_kept(FeatureCache(place), model, range(3))
    keep(FeatureCache(place), model, [3])
    assert n_kept(place) == 4


def test_a_full_cache_grows_no_further_and_predicts_right(
    model: SplitModel, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_all = predict(model, FeatureCache(place)).account.n_distinct_tiles
    bound = file_of(place).stat().st_size // 2
    monkeypatch.setattr(feature_cache, "_MIB", bound)
    place = place.with_name("small")
    cache = FeatureCache(place, most_mib=1)
    predict(model, cache)
    size = file_of(place).stat().st_size
    assert 0.7 * bound < size <= bound
    assert 0 < n_kept(place) == n_all - cache.n_refused
    assert cache.account.endswith(f"and {cache.n_refused:,} more did not fit.")
    for _ in range(2):
        again = predict(model, FeatureCache(place, most_mib=1))
        assert again.account.n_cached_tiles == n_kept(place)
        assert relative(again.values, predict(model, None).values) < TOLERANCE
    assert size == file_of(place).stat().st_size


def test_other_models_count_for_the_bound(
    model: SplitModel, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(model, FeatureCache(place))
    n_first = n_kept(place)
    monkeypatch.setattr(feature_cache, "_MIB", file_of(place).stat().st_size)
    cache = FeatureCache(place, most_mib=1)
    found = predict(tiny_enformer(), cache)
    assert cache.n_refused == found.account.n_distinct_tiles
    assert n_kept(place) == n_first


@pytest.mark.parametrize("kept", [0.5, 0])
def test_damage_is_said_in_one_sentence(kept: float, model: SplitModel, place: Path) -> None:
    predict(model, FeatureCache(place))
    path = file_of(place)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))] or b"x" * len(whole))
    with pytest.raises(DataError) as caught:
        predict(model, FeatureCache(place))
    said = str(caught.value)
    assert said.startswith(f"the features kept in {path} are damaged (")
    assert said.endswith("; delete that file.")


def test_a_directory_that_is_deleted_is_made_anew(model: SplitModel, place: Path) -> None:
    cache = FeatureCache(place)
    expected = predict(model, cache)
    shutil.rmtree(place)
    found = predict(model, cache)
    assert found.account.n_cached_tiles == 0
    np.testing.assert_array_equal(found.values, expected.values)
    assert predict(model, cache).account.n_distinct_tiles == 0


def test_a_place_that_cannot_be_a_directory_is_refused(model: SplitModel, place: Path) -> None:
    place.write_text("")
    with pytest.raises(DataError, match="features: a part of the path is a file"):
        predict(model, FeatureCache(place))


@pytest.mark.parametrize("what", ["genes", "variants"])
def test_a_command_run_twice_writes_the_same_and_reads_nothing_anew(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bases = decode(write_genome(tmp_path).contig("c0"))
    write_model(tmp_path, gene_model())
    (tmp_path / "some.vcf").write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=c0,length=2000>\n"
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        f"c0\t590\t.\t{bases[589]}\t{'A' if bases[589] != 'A' else 'C'}\t.\t.\t.\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    words = {
        "genes": ["predict", "--genes", "all"],
        "variants": ["variants", "score", "--vcf", "some.vcf"],
    }[what]
    words += ["--model", "model", "--genome", "toy.fa", "--annotation", "genes.gff3"]
    assert main([*words, "--out", "plain.tsv"]) == 0
    assert "tiles" not in capsys.readouterr().out
    for name in ("cold", "warm"):
        assert main([*words, "--cache", "features", "--out", name]) == 0
        assert Path(name).read_bytes() == Path("plain.tsv").read_bytes()
        counts = re.search(r"([\d,]+) of ([\d,]+) tiles were in features", capsys.readouterr().out)
        assert counts is not None
        if name == "warm":
            assert counts[1] == counts[2] != "0"
        else:
            assert counts[1] == "0"
