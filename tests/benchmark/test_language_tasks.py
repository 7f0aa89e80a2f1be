"""Every task of language models returns rows of the model beside baselines."""

import numpy as np
import pytest

from benchmark.toy_yeast import DISTANCES, GENE, HELD_OUT, write_toy_yeast
from cisgram.benchmark.base import Context, OwnGenome, Predictor, Row, Rows, evaluations
from cisgram.benchmark.bound_sites import bound_sites
from cisgram.benchmark.language import FLANKS, HeldOut
from cisgram.benchmark.run import run_evaluations, table_of
from cisgram.core.checks import CisgramError, CisgramWarning, ConfigError
from cisgram.explain.motif_files import Likeness, read_motifs
from cisgram.genome.reference import Reference
from cisgram.models.hub import save_model
from cisgram.prediction.masked import MaskingConfig
from cisgram.prediction.perplexity import perplexity, surprise
from cisgram.prediction.session import Session
from models.tiny import tiny_lm

TASKS = [
    "yeast-measured-alleles",
    "yeast-motifs",
    "yeast-patterns",
    "yeast-perplexity",
    "yeast-promoter-alleles",
]


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Context:
    place = tmp_path_factory.mktemp("yeast")
    write_toy_yeast(place)
    Reference.from_fasta(place / "toy.fa", place / "reference")
    session = Session(
        tiny_lm(window=512),
        name="toy",
        card={"held_out": {"test": list(HELD_OUT)}},
        genome=place / "reference",
        annotation=place / "toy.gff3",
    )
    return Context((Predictor("toy", ((session, HELD_OUT),)),), place, work=place / "read")


@pytest.fixture(scope="module")
def rows(context: Context) -> dict[str, list[Row]]:
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        # Tomtom takes a minute to compile; tests of motif files run it.
        patch.setattr("cisgram.benchmark.tasks.yeast_patterns.compare_motifs", _alike)
        patch.setattr("cisgram.benchmark.statistics.N_DRAWS", 20)
        for name in TASKS:
            own = Rows(name, ["toy"])
            evaluations()[name].run(context, own)
            found[name] = own.rows
    return found


def _alike(queries: list, targets: tuple) -> Likeness:
    p = np.full((len(queries), len(targets)), 0.01)
    return Likeness(p, np.zeros(p.shape, np.int64), np.zeros(p.shape, np.int64))


def value(rows: list[Row], **wanted: object) -> float:
    (found,) = [row.value for row in rows if wanted.items() <= {**row.plain()}.items()]
    return found


def test_the_tasks_are_those_of_language_models():
    known = evaluations().values()
    assert [own.name for own in known if own.needs == "language"] == ["perplexity", *TASKS]
    assert {own.suite for own in known if own.name in TASKS} == {"yeast"}


@pytest.mark.parametrize("task", TASKS)
def test_rows_stand_beside_baselines_with_intervals(rows, task):
    own = rows[task]
    assert {row.predictor for row in own if not row.baseline} == {"toy"}
    assert {row.predictor for row in own if row.baseline} >= {FLANKS}
    keys = [(row.subset, row.predictor, row.output, row.metric) for row in own]
    assert len(set(keys)) == len(keys)
    assert all(np.isfinite(row.value) for row in own)
    assert all(row.low <= row.value <= row.high for row in own if row.low is not None)


def test_perplexity_is_of_every_known_base(rows):
    own = rows["yeast-perplexity"]
    (found,) = [row for row in own if row.subset == "all bases" and row.predictor == "toy"
                and row.metric == "perplexity"]  # fmt: skip
    assert found.n == 20_000
    assert value(own, subset="all bases", predictor="Markov, order 0", metric="perplexity") == (
        pytest.approx(4, abs=0.05)
    )
    ratio = value(own, subset="all bases", predictor="toy", metric=f"perplexity over {FLANKS}")
    beside = value(own, subset="all bases", predictor=FLANKS, metric="perplexity")
    assert ratio == pytest.approx(found.value / beside)


def test_sites_are_found_by_their_own_sequence(rows):
    own = rows["yeast-motifs"]
    for name in ("REB1", "ABF1", "RAP1", "TATA box", "5' splice site", "branch point"):
        area = value(own, subset=name, predictor="sequence itself", metric="auroc, same distance")
        assert area > 0.95, name
    (calls,) = [row for row in own if row.subset == "branch point" and row.output == "calls"
                and row.predictor == "sequence itself"
                and row.metric == "calls that are known"]  # fmt: skip
    assert calls.value > 0.9


def test_known_sites_are_where_they_were_planted(context):
    held_out = HeldOut(context)
    motifs = read_motifs(context.file("motifs", "JASPAR2026_CORE_fungi_latest.jaspar.gz"))
    motif = next(own for own in motifs if own.name == "REB1")
    found = list(
        bound_sites(
            held_out.tokens,
            motif,
            gff=context.file("motifs", "macisaac_conservedTFBS.gff.gz"),
            published=context.file("motifs", "macisaac_yeast.v1.meme"),
        )
    )
    # The second gene of a contig is on the reverse strand.
    assert ("chrII", 1_000 + GENE + DISTANCES["REB1"] - motif.width, True) in found


def test_what_was_read_is_not_read_again(context, rows, monkeypatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("cisgram.benchmark.language.masked_probabilities", fail)
    again = HeldOut(context)
    assert set(again.models["toy"]) == set(HELD_OUT)
    assert again.training("chrII") == ("chrI",)


def test_models_without_a_common_contig_are_refused(context):
    (first,) = context.predictors
    session = first.session
    two = (Predictor("a", ((session, ("chrII",)),)), Predictor("b", ((session, ("chrIII",)),)))
    with pytest.raises(ConfigError, match="no contig in common"):
        _ = HeldOut(Context(two, context.data)).tokens


@pytest.fixture
def saved(tmp_path):
    save_model(tmp_path / "model", tiny_lm(window=512), card={"held_out": {"test": ["chrX"]}})
    return tmp_path


def test_perplexity_on_a_genome_of_ones_own(context, saved):
    genome = OwnGenome(genome=context.data / "toy.fa", contigs=("III",))
    run = {"models": {"toy": [str(saved / "model")]}, "out": saved / "results.json"}
    with pytest.warns(
        CisgramWarning, match="Whether .*model learnt chrIII of .* cannot be told: its"
    ):
        result = run_evaluations(["perplexity"], **run, genome=genome)
    assert len(result["notes"]) == 1
    table = table_of(result)
    found = table.filter(metric="perplexity", subset="all bases")
    values = dict(found.select("predictor", "value").iter_rows())
    tokens = context.reference.contig("chrIII")
    both = MaskingConfig(strands="both")
    nats = surprise(Session.open(saved / "model").model, {"chrIII": tokens}, config=both)["chrIII"]
    assert values["toy"] == pytest.approx(perplexity(nats), rel=1e-4)
    assert values["Markov, order 0"] == pytest.approx(4, abs=0.05)
    assert values["untrained"] == pytest.approx(4, abs=0.5)
    assert FLANKS in values
    assert set(found["n"]) == {6_000}
    assert set(table["subset"]) == {"all bases", "not copied", "chrIII"}
    with pytest.raises(CisgramError, match="of other models or of another genome"):
        run_evaluations(["perplexity"], **run)


@pytest.mark.parametrize(
    ("task", "contigs", "sentence"),
    [
        ("perplexity", (), "holds out no contig of .*toy.fa; add --contigs, which it was not"),
        ("perplexity", ("chrIV", "I"), "toy.fa has no contig chrIV; correct --contigs"),
        ("perplexity", ("I", "II", "III"), "all contigs of .*toy.fa are held out; leave some"),
        ("yeast-motifs", ("I",), "yeast-motifs is of yeast alone; with --genome run perplexity"),
    ],
)
def test_genomes_that_cannot_be_evaluated_on(context, saved, task, contigs, sentence):
    genome = OwnGenome(genome=context.data / "toy.fa", contigs=contigs)
    models = {"toy": [str(saved / "model")]}
    with pytest.raises(CisgramError, match=sentence):
        run_evaluations([task], models, out=saved / "results.json", genome=genome)
