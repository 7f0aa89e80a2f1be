"""Every recipe can be read and its model built."""

from pathlib import Path

import pytest

from cisgram.models.registry import build_model
from cisgram.train.recipe import Recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("**/*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_sound(path: Path) -> None:
    recipe = Recipe.read(path)
    sizes = {name: value for name, value in recipe.model.items() if name != "kind"}
    model = build_model(recipe.model["kind"], sizes, str(path))
    assert model.window == recipe.corpus.window
    assert model.config.n_species == len(recipe.corpus.genomes)
    assert set(recipe.corpus.held_out) == {"valid", "test"}


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 4


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_files_of_the_recipe_are_there(path: Path, shared: Path) -> None:
    recipe = Recipe.read(path)
    for genome in recipe.corpus.genomes:
        for file in filter(None, (genome.fasta, genome.annotation)):
            assert (recipe.directory / file).is_file(), file
