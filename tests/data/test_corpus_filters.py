"""What the homology filter spares."""

from pathlib import Path

import numpy as np
import polars as pl

from data.test_corpus import build, dna, write_fasta


def test_own_genome_of_the_held_out_contigs_can_be_kept_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    test = dna(rng, 8_000)
    write_fasta(tmp_path / "x.fa", {"train": dna(rng, 6_000) + test[:4_000], "test": test})
    write_fasta(tmp_path / "y.fa", {"one": dna(rng, 6_000) + test[:4_000]})
    recipe = {
        "genomes": [{"name": name, "fasta": f"{name}.fa"} for name in "xy"],
        "window": 1_000,
        "margin": 0,
        "test": {"genome": "x", "contigs": ["test"]},
    }
    strict = build(recipe, tmp_path)
    spared = build(recipe | {"homology": {"own_genome": False}}, tmp_path, "spared")
    assert (strict.account["dropped_homology"] > 10).all()
    assert spared.account["dropped_homology"].to_list() == [
        0,
        strict.account["dropped_homology"][1],
    ]
    own = spared.windows.filter((pl.col("genome") == 0) & (pl.col("split") == "train"))
    assert own["start"].max() == 9_000
