import json
import shutil

import pytest
import torch

from cisgram.core.artifact import sha256
from cisgram.core.checks import CisgramError, ConfigError, DataError
from cisgram.data.tokenizer import save_tokenizer, train_bpe
from cisgram.genome.alphabet import encode
from cisgram.models.checkpoint import load_language_model, save_model
from cisgram.train.pretrain import pretrain
from cisgram.train.recipe import Recipe
from train.small_corpus import WINDOW, write_genome

pytestmark = pytest.mark.whole

RECIPE = f"""
[corpus]
window = {WINDOW}
margin = 0
min_contig = 100
max_repeat = 1.0
dust = false
homology = {{ enabled = false }}
valid = {{ genome = "toy", contigs = ["c2"] }}
test = {{ genome = "toy", contigs = ["c3"] }}

[[corpus.genomes]]
name = "toy"
fasta = "toy.fa"

[model]
kind = "shorkie-lm"
n_species = 1
window = {WINDOW}
stem_channels = 8
channels = [8, 8]
decoder_channels = [8, 8]
n_layers = 1
n_heads = 2
key_size = 4

[train]
steps = 4
batch = 2
validate_every = 2

[optim]
warmup = 1
"""


@pytest.fixture
def recipe(tmp_path):
    write_genome(tmp_path / "toy.fa")
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_a_run_says_what_it_was_made_from(recipe, tmp_path):
    state = pretrain(Recipe.read(recipe), tmp_path / "run")
    assert state.step == 4
    began = json.loads((tmp_path / "run" / "run.json").read_text())
    assert set(began["genomes"]) == {"toy"}
    assert began["recipe"]["train"]["steps"] == 4
    model, card = load_language_model(tmp_path / "run")
    assert model.window == WINDOW
    assert card["genomes"] == began["genomes"]
    assert card["steps"] in (2, 4)


def test_a_run_is_resumed_only_when_told(recipe, tmp_path):
    pretrain(Recipe.read(recipe), tmp_path / "run")
    with pytest.raises(DataError, match="holds a run already; add --resume to go on"):
        pretrain(Recipe.read(recipe), tmp_path / "run")
    recipe.write_text(RECIPE.replace("steps = 4", "steps = 6"))
    assert pretrain(Recipe.read(recipe), tmp_path / "run", resume=True).step == 6


def test_a_resumed_run_keeps_its_recipe(recipe, tmp_path):
    pretrain(Recipe.read(recipe), tmp_path / "run")
    recipe.write_text(RECIPE.replace("batch = 2", "batch = 3"))
    with pytest.raises(ConfigError, match=r"batch in \[train\] is 3 and was 2 when .*run began"):
        pretrain(Recipe.read(recipe), tmp_path / "run", resume=True)


def test_a_run_can_start_from_the_weights_of_another(recipe, tmp_path):
    pretrain(Recipe.read(recipe), tmp_path / "first")
    first, facts = load_language_model(tmp_path / "first")
    further = RECIPE.replace("[train]", '[train]\nstart = "first"')
    recipe.write_text(further + "lr = 0.0\nweight_decay = 0.0\n")
    pretrain(Recipe.read(recipe), tmp_path / "run")
    second, card = load_language_model(tmp_path / "run")
    assert all(
        torch.equal(*pair) for pair in zip(first.parameters(), second.parameters(), strict=True)
    )
    assert card["start"]["steps"] == facts["steps"]
    assert card["start"]["weights"] == sha256(tmp_path / "first" / "model" / "weights.safetensors")
    # A resumed run goes on from its checkpoint, not from the start again.
    recipe.write_text(further.replace("steps = 4", "steps = 6") + "lr = 0.0\nweight_decay = 0.0\n")
    shutil.rmtree(tmp_path / "first")
    assert pretrain(Recipe.read(recipe), tmp_path / "run", resume=True).step == 6


def test_a_start_of_other_sizes_is_refused(recipe, tmp_path):
    pretrain(Recipe.read(recipe), tmp_path / "first")
    recipe.write_text(RECIPE.replace("[train]", 'n_heads = 1\n[train]\nstart = "first"'))
    recipe.write_text(recipe.read_text().replace("n_heads = 2\n", ""))
    with pytest.raises(ConfigError, match=r"start is .*first, a shorkie-lm of other sizes"):
        pretrain(Recipe.read(recipe), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_start_that_numbers_genomes_otherwise_is_refused(recipe, tmp_path):
    pretrain(Recipe.read(recipe), tmp_path / "first")
    model, card = load_language_model(tmp_path / "first")
    genomes = {"other": "00", "toy": "11"}
    save_model(tmp_path / "start", model, card=card | {"genomes": genomes})
    recipe.write_text(RECIPE.replace("[train]", '[train]\nstart = "start"'))
    with pytest.raises(ConfigError, match="toy is number 0 of the recipe and 1 of its start"):
        pretrain(Recipe.read(recipe), tmp_path / "run")


def test_a_start_may_not_change_under_a_run_that_has_no_checkpoint_yet(recipe, tmp_path):
    pretrain(Recipe.read(recipe), tmp_path / "first")
    recipe.write_text(RECIPE.replace("[train]", '[train]\nstart = "first"'))
    pretrain(Recipe.read(recipe), tmp_path / "run")
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    model, card = load_language_model(tmp_path / "run")
    save_model(tmp_path / "first" / "model", model, card=card, overwrite=True)
    with pytest.raises(DataError, match=r"the start of .*run has other weights than when it began"):
        pretrain(Recipe.read(recipe), tmp_path / "run", resume=True)


def test_a_run_remembers_every_schedule(recipe, tmp_path):
    pretrain(Recipe.read(recipe), tmp_path / "run")
    pretrain(Recipe.read(recipe), tmp_path / "run", resume=True)
    recipe.write_text(RECIPE.replace("steps = 4", "steps = 6") + "decay = 2\n")
    pretrain(Recipe.read(recipe), tmp_path / "run", resume=True)
    schedule = [
        {"from_step": 0, "steps": 4, "decay": 0},
        {"from_step": 4, "steps": 6, "decay": 2},
    ]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["schedule"] == schedule
    assert load_language_model(tmp_path / "run")[1]["schedule"][0] == schedule[0]


def test_a_field_that_is_left_out_is_a_change_too(recipe, tmp_path):
    recipe.write_text(RECIPE.replace("key_size = 4", "key_size = 4\ndropout = 0.5"))
    pretrain(Recipe.read(recipe), tmp_path / "run")
    recipe.write_text(RECIPE)
    with pytest.raises(ConfigError, match=r"dropout in \[model\] is 0.2 and was 0.5 when"):
        pretrain(Recipe.read(recipe), tmp_path / "run", resume=True)


def test_what_a_killed_build_left_is_no_obstacle(recipe, tmp_path):
    (tmp_path / "run" / ".corpus.abc123").mkdir(parents=True)
    assert pretrain(Recipe.read(recipe), tmp_path / "run").step == 4


def test_a_directory_with_other_things_is_left_alone(recipe, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years")
    with pytest.raises(DataError, match="is no run and not empty"):
        pretrain(Recipe.read(recipe), tmp_path / "home")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[optim]", "[optimizer]", r"has no table 'optimizer'; a recipe knows corpus, model"),
        ("[optim]", "[objective]\ncopies = { yeast = 2 }\n[optim]", "a genome of copies in .* toy"),
        (
            "[optim]",
            "[objective]\ncopies = { toy = -1 }\n[optim]",
            "copies of toy must be at",
        ),
        ('valid = { genome = "toy", contigs = ["c2"] }', "", r"\[corpus\] lacks valid"),
        (
            "[optim]",
            "[objective]\nmax_validation = 0\n[optim]",
            "max_validation must be at least",
        ),
        ("[optim]", "[objective]\nexon_weight = -1\n[optim]", "exon_weight must be at least 0"),
        (
            "[optim]",
            '[objective]\nkind = "autoregressive"\n[masking]\nrandom = 0.1\n[optim]',
            "random and unchanged in .* belong to the masked objective; got the autoregressive",
        ),
        (
            "[model]",
            '[[corpus.genomes]]\nname = "other"\nfasta = "toy.fa"\n[model]',
            r"n_species in \[model\] must be at least 2",
        ),
        ("steps = 4", 'steps = 4\nstart = "nowhere"', "there is no model .*nowhere"),
        ("warmup", "warm", r"\[optim\] of .* has no field 'warm'; it knows lr, warmup"),
        ('kind = "shorkie-lm"', "", r"\[model\] of .* lacks kind, the architecture"),
        ("shorkie-lm", "shorky", r"kind in \[model\] must be one of shorkie-lm"),
        ("steps = 4", 'steps = "4"', r"steps in \[train\] of .* must be a whole number; got '4'"),
        ("window = 64\nstem", "window = 128\nstem", r"\[model\] window must be that of \[corpus\]"),
        (
            "[optim]",
            '[objective]\nkind = "autoregressive"\n[optim]',
            "a shorkie-lm that is not caus",
        ),
    ],
)
def test_recipes_that_cannot_be_used_are_one_sentence(recipe, tmp_path, old, new, sentence):
    assert old in RECIPE
    recipe.write_text(RECIPE.replace(old, new))
    with pytest.raises(CisgramError, match=sentence):
        pretrain(Recipe.read(recipe), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("tokenizer", "objective"),
    [('kind = "bpe"\nfile = "bpe.json"', "masked-tokens"), ('kind = "base"', "masked")],
)
def test_models_of_tokens_are_pretrained(recipe, tmp_path, monkeypatch, tokenizer, objective):
    monkeypatch.chdir(tmp_path)
    contigs = [encode(line) for line in (tmp_path / "toy.fa").read_text().split("\n")[1::2]]
    save_tokenizer(tmp_path / "bpe.json", train_bpe(contigs, vocabulary_size=40))
    head, _, tail = RECIPE.partition("[model]")
    sizes = "channels = 8\nn_layers = 1\nn_heads = 2\nfeed_channels = 8"
    model = f'[model]\nkind = "bert-lm"\nwindow = {WINDOW}\n{sizes}\n[model.tokenizer]\n{tokenizer}'
    tail = tail[tail.index("[train]") :]
    recipe.write_text(f'{head}{model}\n[objective]\nkind = "{objective}"\n{tail}')
    state = pretrain(Recipe.read(recipe), tmp_path / "run")
    assert state.step == 4
    assert load_language_model(tmp_path / "run")[0].kind == "bert-lm"


def test_a_causal_model_learns_every_base_from_those_before(recipe, tmp_path):
    head, _, tail = RECIPE.partition("[model]")
    sizes = "channels = 8\nn_layers = 2\nfeed_channels = 8\ncausal = true"
    model = f'[model]\nkind = "dilated-lm"\nwindow = {WINDOW}\n{sizes}'
    tail = tail[tail.index("[train]") :]
    recipe.write_text(f'{head}{model}\n[objective]\nkind = "autoregressive"\n{tail}')
    assert pretrain(Recipe.read(recipe), tmp_path / "run").step == 4


def test_a_recipe_extends_the_one_beside_it(recipe, tmp_path):
    two = '[[corpus.genomes]]\nname = "other"\nfasta = "other.fa"\n\n[model]'
    recipe.write_text(RECIPE.replace("[model]", two))
    tier = tmp_path / "tier.toml"
    tier.write_text('extends = "recipe.toml"\ngenomes = ["toy"]\n[train]\nsteps = 9\n')
    read = Recipe.read(tier)
    assert [genome.name for genome in read.corpus.genomes] == ["toy"]
    assert (read.train.steps, read.train.batch) == (9, 2)
    assert read.model == Recipe.read(recipe).model


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
def test_what_cannot_be_extended_is_one_sentence(recipe, tmp_path, text, sentence):
    (tmp_path / "tier.toml").write_text(text)
    (tmp_path / "loop.toml").write_text('extends = "tier.toml"')
    with pytest.raises(ConfigError, match=sentence):
        Recipe.read(tmp_path / "tier.toml")


def test_model_of_tracks_cannot_be_pretrained(recipe, tmp_path):
    plain = RECIPE.replace("shorkie-lm", "shorkie").replace(
        "decoder_channels = [8, 8]", "decoder_channels = [8]\ncrop = 1\nn_tracks = 2"
    )
    recipe.write_text(plain.replace("n_species = 1\n", ""))
    with pytest.raises(ConfigError, match="is a shorkie, no language model"):
        pretrain(Recipe.read(recipe), tmp_path / "run")


def test_overlapping_words_are_not_guessed_whole(recipe, tmp_path):
    head, _, tail = RECIPE.partition("[model]")
    sizes = "channels = 8\nn_layers = 1\nn_heads = 2\nfeed_channels = 8"
    tokenizer = '[model.tokenizer]\nkind = "kmer"\nk = 4\nstride = 1'
    model = f'[model]\nkind = "bert-lm"\nwindow = {WINDOW}\n{sizes}\n{tokenizer}'
    tail = tail[tail.index("[train]") :]
    recipe.write_text(f'{head}{model}\n[objective]\nkind = "masked-tokens"\n{tail}')
    with pytest.raises(ConfigError, match=r"k-mers that do not overlap, .* leave out stride = 1"):
        pretrain(Recipe.read(recipe), tmp_path / "run")
