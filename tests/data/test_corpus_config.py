from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cisgram.core.artifact import sha256
from cisgram.core.checks import ConfigError
from cisgram.core.config import from_plain, to_plain
from cisgram.data.corpus_config import CorpusConfig
from cisgram.data.outputs import Geometry, Outputs

RECIPE: dict[str, Any] = {
    "genomes": [{"name": "a", "fasta": "a.fa", "exclude": ["chrM"]}, {"name": "b", "fasta": "b.fa"}]
}


def read(plain: dict[str, Any]) -> CorpusConfig:
    return from_plain(CorpusConfig, plain, "the corpus")


def test_the_rest_follows_from_the_window() -> None:
    config = read(RECIPE)
    assert (config.window, config.training_stride, config.evaluation_stride) == (
        *(16_384, 4_096, 16_384),
    )
    assert config.shortest_contig == 32_768
    small = read(RECIPE | {"window": 2, "stride": 3, "min_contig": 1})
    assert (small.training_stride, small.evaluation_stride) == (3, 2)
    assert small.shortest_contig == 2 + 2 * 512


def test_comes_back_from_what_it_is_written_as() -> None:
    held_out = {"genome": "b", "contigs": ["x"]}
    config = read(RECIPE | {"valid": held_out, "homology": {"enabled": False}, "max_trna": 1})
    assert config.held_out == {"valid": config.valid}
    assert read(to_plain(config)) == config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"windows": 9}, r"has no field 'windows'; it knows genomes, window, stride, "),
        ({"genomes": []}, "genomes must name at least one genome"),
        ({"genomes": [{"name": "a", "fasta": "a.fa"}] * 2}, "genomes names a more than once"),
        ({"genomes": [{"name": "a/b", "fasta": "a.fa"}]}, "name must consist of .*; got 'a/b'"),
        ({"genomes": [{"name": ".", "fasta": "a.fa"}]}, "name must consist of .*; got '.'"),
        ({"genomes": [{"name": "a"}]}, "lacks the field 'fasta'"),
        ({"window": 0}, "window must be at least 1; got 0"),
        ({"window": 2.5}, "window in the corpus must be a whole number; got 2.5"),
        ({"stride": 0}, "stride must be at least 1; got 0"),
        ({"held_out_stride": 0}, "held_out_stride must be at least 1; got 0"),
        ({"margin": -1}, "margin must be at least 0; got -1"),
        ({"max_repeat": 7}, "max_repeat must be between 0 and 1; got 7"),
        ({"valid": {"genome": "c"}}, "genome of valid must be one of a, b; got 'c'"),
        ({"homology": {"max_matched": 2}}, "max_matched must be between 0 and 1; got 2"),
        ({"homology": {"min_identity": -1}}, "min_identity must be between 0 and 1; got -1"),
        ({"homology": {"preset": "fast"}}, "preset must be one of asm5, .*; got 'fast'"),
        ({"copies": {"c": 2}}, "a genome of copies must be one of a, b; got 'c'"),
        ({"copies": {"a": -1}}, "copies of a must be at least 0; got -1"),
        ({"max_validation": 0}, "max_validation must be at least 1; got 0"),
    ],
)
def test_refuses_settings_in_one_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read(RECIPE | change)
    assert "\n" not in str(caught.value)


def test_windows_are_those_of_the_network() -> None:
    config = read(RECIPE | {"valid": {"genome": "b"}})
    assert config.for_geometry(Geometry(window=512)) == replace(config, window=512)
    assert config.expected_outputs(Geometry(window=512)) == Outputs.of_bases()
    assert config.n_species == 2


@pytest.mark.parametrize(
    ("change", "geometry", "said"),
    [
        ({}, Geometry(window=512, resolution=4), "row for every base .* one for every 4 with 0"),
        ({}, Geometry(window=512, margin=8), "has one for every 1 with 8 cropped; change .model."),
        ({"valid": None}, Geometry(window=512), r"\[data\] lacks valid, the contigs that choose"),
        ({"window": 256}, Geometry(window=512), r"window in \[data\] is 256 and in \[model\] 512"),
    ],
)
def test_networks_that_cannot_read_it_are_refused(
    change: dict[str, Any], geometry: Geometry, said: str
) -> None:
    config = read(RECIPE | {"valid": {"genome": "b"}} | change)
    with pytest.raises(ConfigError, match=said):
        config.for_geometry(geometry)


def test_sources_are_known_by_their_contents(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.fa").write_text(f">{name}\nACGT\n")
    found = read(RECIPE | {"valid": {"genome": "b", "contigs": ["x"]}}).sources(tmp_path)
    assert found["held_out"] == {"valid": {"genome": "b", "contigs": ("x",)}}
    assert found["genomes"]["a"] == sha256(tmp_path / "a.fa")
    assert set(found["genomes"]) == {"a", "b"}
