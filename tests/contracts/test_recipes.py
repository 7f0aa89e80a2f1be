"""Every recipe can be read, its model can be built for its data, and its files are there."""

from pathlib import Path
from typing import Any

import pytest

from cisgram.core.device import shapes_only
from cisgram.models.registry import build_model
from cisgram.training.recipe import Recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted([*(ROOT / "recipes").glob("*.toml"), *(ROOT / "examples").glob("*.toml")])
SHOWN = ("cnn", "enformer", "dilated-tracks", "dilated-lm", "bert")
"""Other architectures, trained on the yeast data by a few lines each."""
by_name = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


@by_name
def test_the_model_of_a_recipe_fits_its_data_and_task(path: Path) -> None:
    recipe = Recipe.read(path)
    outputs = recipe.data.expected_outputs(recipe.model.geometry)
    with shapes_only():
        model = build_model(recipe.model_kind, recipe.model, outputs)
    recipe.task.check(model)


@by_name
def test_held_out_chromosomes_are_apart(path: Path) -> None:
    data = Recipe.read(path).data
    valid, test = (contigs(getattr(data, name, None) or ()) for name in ("valid", "test"))
    assert valid
    assert not valid & test


@by_name
def test_files_of_a_recipe_are_there(path: Path, shared: Path) -> None:
    recipe = Recipe.read(path)
    for file in sources(recipe.data):
        made_here = ".cache" in file.parts  # by a script that the recipe names
        assert made_here or (recipe.directory / file).is_file(), file


@pytest.mark.parametrize("name", SHOWN)
def test_another_architecture_is_a_recipe_of_under_25_lines(name: str) -> None:
    assert len((ROOT / "recipes" / f"yeast-{name}.toml").read_text().splitlines()) < 25


def contigs(part: object) -> set[str]:
    return set(getattr(part, "contigs", part))


def sources(data: Any) -> list[Path]:
    """Return the FASTA and annotation of every genome."""
    genomes = getattr(data, "genomes", (data,))
    named = [name for genome in genomes for name in (genome.fasta, genome.annotation)]
    return [Path(name) for name in named if name is not None]
