from typing import Any

import pytest

from cisgram.core.checks import ConfigError
from cisgram.core.config import to_plain
from cisgram.data.corpus_config import CorpusConfig

RECIPE: dict[str, Any] = {
    "genomes": [{"name": "a", "fasta": "a.fa", "exclude": ["chrM"]}, {"name": "b", "fasta": "b.fa"}]
}


def test_the_rest_follows_from_the_window() -> None:
    config = CorpusConfig.from_plain(RECIPE)
    assert (config.window, config.training_stride, config.evaluation_stride) == (
        *(16_384, 4_096, 16_384),
    )
    assert config.shortest_contig == 32_768
    small = CorpusConfig.from_plain(RECIPE | {"window": 2, "stride": 3, "min_contig": 1})
    assert (small.training_stride, small.evaluation_stride) == (3, 2)
    assert small.shortest_contig == 2 + 2 * 512


def test_comes_back_from_what_it_is_written_as() -> None:
    held_out = {"genome": "b", "contigs": ["x"]}
    config = CorpusConfig.from_plain(
        RECIPE | {"valid": held_out, "homology": {"enabled": False}, "max_trna": 1}
    )
    assert config.held_out == {"valid": config.valid}
    assert CorpusConfig.from_plain(to_plain(config)) == config


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
    ],
)
def test_refuses_settings_in_one_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        CorpusConfig.from_plain(RECIPE | change)
    assert "\n" not in str(caught.value)
