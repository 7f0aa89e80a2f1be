"""Every recipe can be read and its model built."""

import tomllib
from pathlib import Path

import pytest

from cisgram.models.registry import build_model
from cisgram.training.recipe import Recipe
from cisgram.training.track_recipe import TrackRecipe


def _learns_tracks(path: Path) -> bool:
    recipe = tomllib.loads(path.read_text())
    base = recipe.get("extends")
    return "targets" in recipe or (base is not None and _learns_tracks(path.with_name(base)))


ROOT = Path(__file__).parents[2]
EVERY = sorted((ROOT / "recipes").glob("**/*.toml"))
OF_TRACKS = [path for path in EVERY if _learns_tracks(path)]
RECIPES = [path for path in EVERY if path not in OF_TRACKS]


@pytest.mark.parametrize("path", OF_TRACKS, ids=lambda path: path.stem)
def test_recipe_of_tracks_is_sound(path: Path) -> None:
    recipe = TrackRecipe.read(path)
    sizes = {name: value for name, value in recipe.model.items() if name != "kind"}
    build_model(recipe.model["kind"], {**sizes, "n_tracks": 1}, str(path))
    assert not set(recipe.targets.valid) & set(recipe.targets.test)


@pytest.mark.parametrize("path", OF_TRACKS, ids=lambda path: path.stem)
def test_genome_of_the_recipe_of_tracks_is_there(path: Path, shared: Path) -> None:
    recipe = TrackRecipe.read(path)
    for file in filter(None, (recipe.targets.fasta, recipe.targets.annotation)):
        made_here = ".cache" in file.parts  # by a script that the recipe names
        assert made_here or (recipe.directory / file).is_file(), file


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
    assert OF_TRACKS


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_files_of_the_recipe_are_there(path: Path, shared: Path) -> None:
    recipe = Recipe.read(path)
    for genome in recipe.corpus.genomes:
        for file in filter(None, (genome.fasta, genome.annotation)):
            assert (recipe.directory / file).is_file(), file
