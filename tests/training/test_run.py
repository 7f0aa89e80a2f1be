"""Runs from their recipes: of a language model, and of tracks and genes."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cisgram.core.artifact import sha256
from cisgram.core.checks import CisgramError, ConfigError, DataError
from cisgram.core.places import LOCK, hold
from cisgram.data.outputs import Outputs
from cisgram.data.targets import Targets
from cisgram.data.tokenizer import save_tokenizer, train_bpe
from cisgram.genome.alphabet import encode
from cisgram.genome.reference import open_reference
from cisgram.models.hub import load_model, save_model
from cisgram.models.registry import build_model, model_config
from cisgram.training.recipe import Recipe
from cisgram.training.run import DATA, train
from cisgram.training.task import Learning
from training.small_corpus import WINDOW, write_genome
from training.small_targets import SIZES, small_recipe

pytestmark = pytest.mark.whole

RECIPE = f"""
[data]
kind = "corpus"
margin = 0
min_contig = 100
max_repeat = 1.0
dust = false
homology = {{ enabled = false }}
valid = {{ genome = "toy", contigs = ["c2"] }}
test = {{ genome = "toy", contigs = ["c3"] }}

[[data.genomes]]
name = "toy"
fasta = "toy.fa"

[model]
kind = "shorkie"
n_species = 1
window = {WINDOW}
stem_channels = 8
channels = [8, 8]
decoder_channels = [8, 8]
n_layers = 1
n_heads = 2
key_size = 4

[task]
kind = "masked"

[train]
steps = 4
batch = 2
validate_every = 2

[optim]
warmup = 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_genome(tmp_path / "toy.fa")
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_a_run_says_what_it_was_made_from(recipe: Path, tmp_path: Path) -> None:
    assert train(recipe, tmp_path / "run").step == 4
    began = json.loads((tmp_path / "run" / "run.json").read_text())
    assert set(began["genomes"]) == {"toy"}
    assert began["recipe"]["train"]["steps"] == 4
    model, card = load_model(tmp_path / "run")
    assert model.window == WINDOW
    assert card["genomes"] == began["genomes"]
    splits = dict(zip(("c0", "c1", "c2", "c3"), ("train", "train", "valid", "test"), strict=True))
    facts = open_reference(tmp_path / "toy.fa").facts(splits)
    assert card["contigs"]["toy"] == {name: list(own) for name, own in facts.items()}
    assert card["steps"] in (2, 4)


def test_a_run_is_resumed_only_when_told(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    with pytest.raises(DataError, match="holds a run already; add --resume to go on"):
        train(recipe, tmp_path / "run")
    recipe.write_text(RECIPE.replace("steps = 4", "steps = 6"))
    assert train(recipe, tmp_path / "run", resume=True).step == 6


def test_a_run_is_written_by_one_process(recipe: Path, tmp_path: Path) -> None:
    with hold(tmp_path / "run"), ThreadPoolExecutor(1) as other:
        coming = other.submit(train, recipe, tmp_path / "run")
        with pytest.raises(DataError, match=r"another process is writing .*run; wait for it"):
            coming.result()
    assert not (tmp_path / "run").exists()


def test_what_a_killed_run_left_goes_when_it_goes_on(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    for home in (tmp_path / ".run.cisgram", tmp_path / "run" / ".model.cisgram"):
        (home / "tmp1" / "model").mkdir(parents=True)
        (home / LOCK).touch()
    train(recipe, tmp_path / "run", resume=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_resumed_run_keeps_its_recipe(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    recipe.write_text(RECIPE.replace("batch = 2", "batch = 3"))
    with pytest.raises(ConfigError, match=r"batch in \[train\] is 3 and was 2 when .*run began"):
        train(recipe, tmp_path / "run", resume=True)


def test_a_run_can_start_from_the_weights_of_another(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "first")
    first, facts = load_model(tmp_path / "first")
    further = RECIPE.replace("[train]", '[train]\nstart = "first"')
    recipe.write_text(further + "lr = 0.0\nweight_decay = 0.0\n")
    train(recipe, tmp_path / "run")
    second, card = load_model(tmp_path / "run")
    assert all(
        torch.equal(*pair) for pair in zip(first.parameters(), second.parameters(), strict=True)
    )
    assert card["start"]["steps"] == facts["steps"]
    assert card["start"]["contigs"] == facts["contigs"]
    assert card["start"]["weights"] == sha256(tmp_path / "first" / "model" / "weights.safetensors")
    # A resumed run goes on from its checkpoint, not from the start again.
    recipe.write_text(further.replace("steps = 4", "steps = 6") + "lr = 0.0\nweight_decay = 0.0\n")
    shutil.rmtree(tmp_path / "first")
    assert train(recipe, tmp_path / "run", resume=True).step == 6


def test_a_start_of_other_sizes_is_refused(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "first")
    other = RECIPE.replace("n_heads = 2", "n_heads = 1")
    recipe.write_text(other.replace("[train]", '[train]\nstart = "first"'))
    with pytest.raises(ConfigError, match=r"start is .*first, a shorkie whose trunk has other si"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_start_that_numbers_genomes_otherwise_is_refused(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "first")
    model, card = load_model(tmp_path / "first")
    genomes = {"other": "00", "toy": "11"}
    save_model(tmp_path / "start", model, card=card | {"genomes": genomes})
    recipe.write_text(RECIPE.replace("[train]", '[train]\nstart = "start"'))
    with pytest.raises(ConfigError, match="toy is number 0 of the recipe and 1 of its start"):
        train(recipe, tmp_path / "run")


def test_a_start_may_not_change_under_a_run_that_has_no_checkpoint_yet(
    recipe: Path, tmp_path: Path
) -> None:
    train(recipe, tmp_path / "first")
    recipe.write_text(RECIPE.replace("[train]", '[train]\nstart = "first"'))
    train(recipe, tmp_path / "run")
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    model, card = load_model(tmp_path / "run")
    save_model(tmp_path / "first" / "model", model, card=card, overwrite=True)
    with pytest.raises(DataError, match=r"the start of .*run has other weights than when it began"):
        train(recipe, tmp_path / "run", resume=True)


def test_a_run_remembers_every_schedule(recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    train(recipe, tmp_path / "run", resume=True)
    recipe.write_text(RECIPE.replace("steps = 4", "steps = 6") + "decay = 2\n")
    train(recipe, tmp_path / "run", resume=True)
    schedule = [
        {"from_step": 0, "steps": 4, "decay": 0},
        {"from_step": 4, "steps": 6, "decay": 2},
    ]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["schedule"] == schedule
    assert load_model(tmp_path / "run")[1]["schedule"][0] == schedule[0]


def test_a_field_that_is_left_out_is_a_change_too(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("key_size = 4", "key_size = 4\ndropout = 0.5"))
    train(recipe, tmp_path / "run")
    recipe.write_text(RECIPE)
    with pytest.raises(ConfigError, match=r"dropout in \[model\] is 0.2 and was 0.5 when"):
        train(recipe, tmp_path / "run", resume=True)


def test_what_a_killed_build_left_is_no_obstacle(recipe: Path, tmp_path: Path) -> None:
    left = tmp_path / "run" / ".data.cisgram"
    (left / "tmp1" / "data").mkdir(parents=True)
    (left / LOCK).touch()
    assert train(recipe, tmp_path / "run").step == 4


def test_a_directory_with_other_things_is_left_alone(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years")
    with pytest.raises(DataError, match="is no run and not empty"):
        train(recipe, tmp_path / "home")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[optim]", "[optimizer]", r"has no table 'optimizer'; a recipe knows data, model"),
        ("margin = 0", "copies = { yeast = 2 }", "a genome of copies must be one of toy; got"),
        ("margin = 0", "copies = { toy = -1 }", "copies of toy must be at least 0; got -1"),
        ('valid = { genome = "toy", contigs = ["c2"] }', "", r"\[data\] lacks valid, the contigs"),
        ("margin = 0", "max_validation = 0", "max_validation must be at least 1; got 0"),
        ('"masked"', '"masked"\nexon_weight = -1', "exon_weight must be at least 0; got -1"),
        ('"masked"', '"autoregressive"\nrandom = 0.1', r"\[task\] of .* has no field 'random'; it"),
        (
            '"masked"',
            '"autoregressive"',
            "the autoregressive task and a shorkie that is not cau",
        ),
        ('"masked"', '"tracks"', "needs a data set of tracks; this one is of bases"),
        (
            "[model]",
            '[[data.genomes]]\nname = "other"\nfasta = "toy.fa"\n[model]',
            r"n_species in \[model\] must be at least 2",
        ),
        ("steps = 4", 'steps = 4\nstart = "nowhere"', "there is no model .*nowhere"),
        ("warmup", "warm", r"\[optim\] of .* has no field 'warm'; it knows lr, warmup"),
        ('kind = "shorkie"', "", r"\[model\] of .* lacks kind; add it"),
        ('kind = "masked"', "", r"\[task\] of .* lacks kind; add it"),
        ('[task]\nkind = "masked"', "", r"recipe.toml lacks the table \[task\]; add it"),
        ('"shorkie"', '"shorky"', r"kind in \[model\] of .* must be one of bert, dilated"),
        ('"corpus"', '"corpora"', r"kind in \[data\] of .* must be one of corpus, tracks; got"),
        ("steps = 4", 'steps = "4"', r"steps in \[train\] of .* must be a whole number; got '4'"),
        (
            "margin = 0",
            "window = 128",
            r"window in \[data\] is 128 and in \[model\] 64; leave it",
        ),
        (
            "decoder_channels = [8, 8]",
            "decoder_channels = [8]",
            r"an output row for every base of its window, and \[model\] has one for every 2",
        ),
    ],
)
def test_recipes_that_cannot_be_used_are_one_sentence(
    recipe: Path, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    assert old in RECIPE
    recipe.write_text(RECIPE.replace(old, new))
    with pytest.raises(CisgramError, match=sentence) as caught:
        train(recipe, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def with_model(model: str, task: str) -> str:
    """The recipe with another model and task."""
    head, tail = RECIPE[: RECIPE.index("[model]")], RECIPE[RECIPE.index("[train]") :]
    return f'{head}[model]\nwindow = {WINDOW}\n{model}\n[task]\nkind = "{task}"\n{tail}'


@pytest.mark.parametrize(
    ("tokenizer", "task"),
    [('kind = "bpe"\nfile = "bpe.json"', "masked-tokens"), ('kind = "base"', "masked")],
)
def test_models_of_tokens_are_trained(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str, task: str
) -> None:
    monkeypatch.chdir(tmp_path)
    contigs = [encode(line) for line in (tmp_path / "toy.fa").read_text().split("\n")[1::2]]
    save_tokenizer(tmp_path / "bpe.json", train_bpe(contigs, vocabulary_size=40))
    sizes = "channels = 8\nn_layers = 1\nn_heads = 2\nfeed_channels = 8"
    model = f'kind = "bert"\n{sizes}\n[model.tokenizer]\n{tokenizer}'
    recipe.write_text(with_model(model, task))
    assert train(recipe, tmp_path / "run").step == 4
    assert load_model(tmp_path / "run")[0].kind == "bert"


def test_a_causal_model_learns_every_base_from_those_before(recipe: Path, tmp_path: Path) -> None:
    sizes = "channels = 8\nn_layers = 2\nfeed_channels = 8\ncausal = true"
    recipe.write_text(with_model(f'kind = "dilated"\n{sizes}', "autoregressive"))
    assert train(recipe, tmp_path / "run").step == 4


def test_overlapping_kmers_are_not_predicted_whole(recipe: Path, tmp_path: Path) -> None:
    sizes = "channels = 8\nn_layers = 1\nn_heads = 2\nfeed_channels = 8"
    tokenizer = '[model.tokenizer]\nkind = "kmer"\nk = 4\nstride = 1'
    recipe.write_text(with_model(f'kind = "bert"\n{sizes}\n{tokenizer}', "masked-tokens"))
    with pytest.raises(ConfigError, match=r"k-mers that do not overlap, .* leave out stride = 1"):
        train(recipe, tmp_path / "run")


def test_a_recipe_extends_the_one_beside_it(recipe: Path, tmp_path: Path) -> None:
    two = '[[data.genomes]]\nname = "other"\nfasta = "other.fa"\n\n[model]'
    recipe.write_text(RECIPE.replace("[model]", two))
    tier = tmp_path / "tier.toml"
    tier.write_text('extends = "recipe.toml"\ngenomes = ["toy"]\n[train]\nsteps = 9\n')
    read = Recipe.read(tier)
    assert [genome.name for genome in read.data.genomes] == ["toy"]
    assert (read.train.steps, read.train.batch) == (9, 2)
    assert read.model == Recipe.read(recipe).model


def test_fields_of_another_kind_are_not_taken_over(recipe: Path, tmp_path: Path) -> None:
    tier = tmp_path / "tier.toml"
    model = f'[model]\nkind = "dilated"\nwindow = {WINDOW}\nn_layers = 2\n'
    tier.write_text(f'extends = "recipe.toml"\n{model}')
    assert Recipe.read(tier).model == model_config(
        "dilated", {"window": WINDOW, "n_layers": 2}, "[model]"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('extends = "tier.toml"', "tier.toml extends itself"),
        ('extends = "loop.toml"', "loop.toml extends itself in the end"),
        ('extends = "recipe.toml"\nsteps = 9', "steps in .* stands outside the tables"),
        ('extends = "../recipe.toml"', "must name a recipe beside it"),
        ('genomes = ["toy"]', "must name a recipe beside it"),
        ('extends = "recipe.toml"\ngenomes = ["x"]', r"a list of some of toy; got \['x'\]"),
    ],
)
def test_what_cannot_be_extended_is_one_sentence(
    recipe: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "tier.toml").write_text(text)
    (tmp_path / "loop.toml").write_text('extends = "tier.toml"')
    with pytest.raises(ConfigError, match=sentence):
        Recipe.read(tmp_path / "tier.toml")


def test_a_model_of_tracks_learns_signal_and_genes_on_the_right_strand(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, steps=120, batch=8, validate_every=120)
    train(recipe, tmp_path / "run")
    model, _ = load_model(tmp_path / "run")
    targets = Targets.open(tmp_path / "run" / DATA)
    assert model.outputs == targets.outputs
    assert (model.outputs.names, model.outputs.gene_targets) == (("word+", "word-"), ("worth",))
    places = [targets.interval(row, strand) for row in targets.split("test") for strand in "+-"]
    batch = targets.batch(places)
    with torch.no_grad():
        rates = F.softplus(model(torch.from_numpy(batch.tokens))[..., :2]).numpy()
    for column in (0, 1):
        right = np.corrcoef(rates[..., column].ravel(), batch.counts[..., column].ravel())[0, 1]
        wrong = np.corrcoef(rates[..., column].ravel(), batch.counts[..., 1 - column].ravel())[0, 1]
        assert right > 0.8 > 0.4 > wrong
    learning = Learning(targets, recipe.task)
    train(small_recipe(tmp_path, steps=1, batch=1), tmp_path / "untrained")
    untrained, _ = load_model(tmp_path / "untrained")
    assert learning.validate(model, 8) < learning.validate(untrained, 8)


def test_the_trunk_of_a_model_of_tracks_comes_from_a_language_model(tmp_path: Path) -> None:
    sizes = {**SIZES, "crop": 0, "decoder_channels": [8, 8, 8, 8]}
    deeper = build_model("shorkie", model_config("shorkie", sizes, "[model]"), Outputs.of_bases())
    save_model(tmp_path / "lm", deeper, card={"steps": 7, "genomes": {"toy": "abc"}})
    recipe = small_recipe(tmp_path, steps=1, batch=1, start="lm", lr=0.0)
    train(recipe, tmp_path / "run")
    model, card = load_model(tmp_path / "run")
    assert card["start"]["steps"] == 7
    weights = deeper.state_dict()
    taken = [name for name in model.state_dict() if name.startswith("trunk.")]
    assert any("decoder.1" in name for name in taken)
    for name in taken:
        if not name.endswith(("_mean", "_var", "_tracked")):
            torch.testing.assert_close(model.state_dict()[name], weights[name])


def test_a_model_of_tracks_whose_start_has_another_trunk_is_refused(tmp_path: Path) -> None:
    sizes = {**SIZES, "crop": 0, "decoder_channels": [8, 8, 8, 8], "stem_channels": 9}
    other = build_model("shorkie", model_config("shorkie", sizes, "[model]"), Outputs.of_bases())
    save_model(tmp_path / "lm", other, card={})
    with pytest.raises(ConfigError, match=r"a shorkie whose trunk has other sizes than \[model\]"):
        train(small_recipe(tmp_path, steps=1, start="lm"), tmp_path / "run")


def test_every_file_of_a_run_of_tracks_is_written_down(tmp_path: Path) -> None:
    train(small_recipe(tmp_path, steps=1, batch=1), tmp_path / "run")
    began = json.loads((tmp_path / "run" / "run.json").read_text())
    assert set(began["files"]) == {"fasta", "annotation", "genes", "word+", "word-"}
    assert began["held_out"] == {"valid": ["c2"], "test": ["c3"]}
    assert load_model(tmp_path / "run")[1]["held_out"] == began["held_out"]


def test_an_interrupted_run_of_tracks_ends_as_one_that_was_not(tmp_path: Path) -> None:
    plan = {"batch": 2, "checkpoint_every": 3, "validate_every": 3}
    train(small_recipe(tmp_path, steps=6, **plan), tmp_path / "whole")
    train(small_recipe(tmp_path, steps=3, **plan), tmp_path / "parts")
    train(small_recipe(tmp_path, steps=6, **plan), tmp_path / "parts", resume=True)
    one, other = (load_model(tmp_path / name)[0].state_dict() for name in ("whole", "parts"))
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
