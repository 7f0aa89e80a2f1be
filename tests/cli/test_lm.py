import json

import numpy as np
import pytest
from training.test_pretrain import RECIPE

from cisgram.cli.app import main
from cisgram.models.checkpoint import save_model
from models.tiny import tiny_lm
from parity.keras_files import TINY_LM, random_weights, write_keras
from training.small_corpus import write_genome

pytestmark = pytest.mark.whole

GFF = """##gff-version 3
c3\tx\tgene\t101\t400\t.\t+\t.\tID=gene:A;biotype=protein_coding
c3\tx\tmRNA\t101\t400\t.\t+\t.\tID=transcript:A1;Parent=gene:A
c3\tx\texon\t101\t400\t.\t+\t.\tID=exon:1;Parent=transcript:A1
c3\tx\tCDS\t101\t400\t.\t+\t0\tID=cds:1;Parent=transcript:A1
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CISGRAM_CACHE", str(tmp_path / "cache"))
    write_genome(tmp_path / "toy.fa", length=1_000)
    (tmp_path / "toy.gff").write_text(GFF)
    save_model(tmp_path / "m", tiny_lm(), card={"training": {"steps": 1}})
    return tmp_path


def run(text: str) -> int:
    return main(text.split())


def test_pretrain_and_evaluate(place, capsys):
    (place / "recipe.toml").write_text(RECIPE)
    assert run("lm pretrain recipe.toml --out run") == 0
    assert "4 steps" in capsys.readouterr().out
    assert run("lm pretrain recipe.toml --out run --resume") == 0
    assert run("lm pretrain recipe.toml --out run") == 2
    assert "add --resume to go on" in capsys.readouterr().err
    words = "--fasta toy.fa --annotation toy.gff --chromosomes c3 --json p.json"
    assert run(f"lm evaluate --model run {words}") == 0
    printed = capsys.readouterr().out
    assert "CDS" in printed
    assert "no test of it" not in printed
    assert run(f"lm evaluate --model run {words.replace('c3', 'c2,c1,c3')}") == 0
    assert "so no test of it: c1." in capsys.readouterr().out
    assert run(f"lm evaluate --model run {words}") == 0
    result = json.loads((place / "p.json").read_text())
    assert result["n_bases"] == 1_000
    assert 1 < result["perplexity"]["overall"] < 8
    assert result["perplexity"]["by_region"].keys() >= {"CDS", "intergenic"}
    assert result["n_bases_by_region"]["CDS"] == 300
    assert result["contigs"] == ["c3"]
    # The repeated word leaves 7 of 20 bases to chance: 4^0.35 = 1.62; count models find it.
    for baseline in result["baselines"].values():
        assert 1.5 < baseline["perplexity"] < 2.6


def test_everything_evaluated_leaves_nothing_to_learn_baselines_from(place, capsys):
    assert run("lm evaluate --model m --fasta toy.fa --json p.json") == 0
    assert "No baselines" in capsys.readouterr().out
    result = json.loads((place / "p.json").read_text())
    assert result["baselines"] == {}
    assert "The model does not say what it learnt from" in result["notes"][1]


def test_baselines_never_learn_what_is_evaluated(place, capsys):
    words = "--chromosomes c3,c2 --baseline-chromosomes c2"
    assert run(f"lm evaluate --model m --fasta toy.fa {words}") == 2
    assert "contigs c2 are both evaluated and learnt from" in capsys.readouterr().err


def test_embed(place, capsys):
    (place / "r.bed").write_text("c1\t100\t164\tp1\nc2\t0\t10\tp2\n")
    assert run("lm embed --model m --fasta toy.fa --bed r.bed --out e.npz") == 0
    assert "2 rows of 12 channels are in e.npz." in capsys.readouterr().out
    with np.load(place / "e.npz") as stored:
        assert stored["names"].tolist() == ["p1", "p2"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("lm evaluate --model nowhere --fasta toy.fa", "there is no model 'nowhere'"),
        ("lm evaluate --model m --fasta none.fa", "none.fa does not exist"),
        ("lm evaluate --model m --fasta toy.fa --chromosomes c9", "c9"),
        ("lm evaluate --model m --fasta toy.fa --n-passes 0", "n_passes must be at least 1"),
        ("lm embed --model m --fasta toy.fa --out e.txt", "must end in .npz"),
        ("lm embed --model m --fasta toy.fa --species R64 --out e.npz", "leave out species 'R64'"),
        ("lm pretrain none.toml --out run", "none.toml does not exist"),
        ("models show shorky", "there is no model 'shorky'"),
        ("models convert toy.fa --out c", "toy.fa"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(place, capsys, words, sentence):
    assert run(words) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_models_list_show_and_convert(place, capsys):
    assert run("models list") == 0
    assert "13,665,828" in capsys.readouterr().out
    assert run("models show shorkie-lm --json s.json") == 0
    assert json.loads((place / "s.json").read_text())["n_parameters"] == 13_665_828
    assert run("models show m --json m.json") == 0
    facts = json.loads((place / "m.json").read_text())
    assert facts["training"] == {"steps": 1}
    assert facts["bytes"] > 0
    write_keras(place / "k.h5", TINY_LM, random_weights(TINY_LM, np.random.default_rng(0)))
    capsys.readouterr()
    assert run("models convert k.h5 --out k") == 0
    assert "shorkie-lm with" in capsys.readouterr().out
    assert run("models show k") == 0
