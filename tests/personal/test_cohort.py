import gzip
import json
import os
import pickle
import re
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cisgram.core.checks import ConfigError, DataError
from cisgram.personal.cohort import Cohort, import_cohort
from cisgram.personal.cohort_checks import near_miss
from cisgram.personal.cohort_options import ImportOptions
from cisgram.personal.cohort_summary import describe

N_PEOPLE, N_SNPS, N_GENES = 30, 200, 8
PEOPLE = [f"HG{i:05}" for i in range(N_PEOPLE)]


def _write(path: Path, rows: list[list[str]]) -> Path:
    text = "".join("\t".join(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def _vcf(path: Path, *, people=PEOPLE, chrom="22", refs=None) -> Path:
    rng = np.random.default_rng(1)
    fields = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT")
    rows = [
        ["##fileformat=VCFv4.2"],
        [f"##contig=<ID={chrom},length=100000000>"],
        ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">'],
        [*fields, *people],
    ]
    for i in range(N_SNPS):
        alleles = rng.random((len(people), 2)) < rng.uniform(0.05, 0.5)
        calls = [f"{int(a)}|{int(b)}" for a, b in alleles]
        ref = refs[i] if refs else "A"
        alt = "G" if ref != "G" else "A"
        where = [chrom, str(1 + 10_000 * (i + 1)), f"rs{i}", ref, alt]
        rows.append([*where, ".", "PASS", ".", "GT", *calls])
    return _write(path, rows)


def _bed(path: Path, *, people=PEOPLE, chrom="chr22", shift=0, odd=()) -> Path:
    values = np.random.default_rng(2).gamma(2.0, size=(N_GENES, len(people))).round(4).astype(str)
    rows = [["#chr", "start", "end", "gene", "length", "strand", *people]]
    for i, row in enumerate(values):
        start = 500_000 + 100_000 * i + shift
        place = [chrom, str(start), str(start + 1), f"g{i}", "900", "+-"[i % 2]]
        rows.append([*place, *row])
    return _write(path, [*rows, *odd])


@pytest.fixture
def files(tmp_path):
    return {"genotypes": _vcf(tmp_path / "g.vcf"), "expression": _bed(tmp_path / "e.bed.gz")}


def test_the_packaged_slice_of_geuvadis(demo_files, tmp_path):
    cohort = import_cohort(**asdict(demo_files), out=tmp_path / "c")
    assert len(cohort.people) == 358
    assert cohort.covariates.shape == (358, 53)
    assert cohort.covariate_names[:2] == ("genotype_PC1", "genotype_PC2")
    assert set(cohort.genes["chrom"]) == set(cohort.genotypes.variants["chrom"])
    summary = describe(cohort)
    assert summary.populations == {"CEU": 89, "FIN": 92, "GBR": 86, "TSI": 91}
    assert summary.account["genes"]["n_with_variants"] == cohort.genes.height == 49
    assert summary.account["relatives"]["pairs"] == []
    assert summary.maf[0].n_variants == 0
    assert sum(b.n_variants for b in summary.maf) == summary.n_variants_examined
    table = pl.read_csv(demo_files.expression, separator="\t")
    person = cohort.people[100]
    np.testing.assert_array_equal(cohort.expression[:, 100], table[person].to_numpy())


@pytest.mark.slow
def test_geuvadis_chromosome_22(geuvadis, tmp_path):
    cohort = import_cohort(**asdict(geuvadis), out=tmp_path / "c")
    account = cohort.manifest.metadata["account"]
    assert cohort.expression.shape == (608, 358)
    assert cohort.genotypes.variants.height == 85_485
    assert account["genes"]["n_with_variants"] == 608
    assert account["relatives"]["n_snps"] > 2500
    assert account["relatives"]["pairs"] == []


def test_people_genes_and_covariates_stay_aligned(files, tmp_path):
    shuffled = [PEOPLE[i] for i in np.random.default_rng(0).permutation(N_PEOPLE)]
    expression = _bed(tmp_path / "e2.bed", people=[*shuffled[:-2], "extra"])
    covariates = _write(tmp_path / "c.tsv", [
        ["id", *shuffled, "other"], ["age", *map(str, range(N_PEOPLE)), "99"],
        ["batch", *(["a", "b"] * 15), "a"], ["same", *["1"] * (N_PEOPLE + 1)],
        ["gap", "NA", *map(str, range(N_PEOPLE))],
    ])  # fmt: skip
    populations = _write(tmp_path / "p.tsv", [[person, "FIN"] for person in PEOPLE[3:]])
    cohort = import_cohort(
        files["genotypes"], expression, covariates=covariates, populations=populations,
        out=tmp_path / "c",
    )  # fmt: skip

    kept = [p for p in PEOPLE if p in set(shuffled[1:-2])]
    assert list(cohort.people) == kept
    assert cohort.covariate_names == ("age", "batch=b", "gap")
    for i, person in enumerate(kept):
        place = shuffled.index(person)
        assert cohort.covariates[i].tolist() == [place, place % 2, place - 1]
    raw = pl.read_csv(expression, separator="\t")
    np.testing.assert_array_equal(cohort.expression, raw.select(kept).to_numpy())
    account = cohort.manifest.metadata["account"]
    assert account["people"] == {
        "n_genotyped": 30, "n_expressed": 29, "n_genotyped_only": 2, "n_expressed_only": 1,
        "n_without_covariates": 1, "n_kept": 27,
        "n_without_population": sum(p in PEOPLE[:3] for p in kept),
    }  # fmt: skip
    assert account["covariates"]["constant"] == ["same"]
    unknown = [p for p, name in zip(cohort.people, cohort.populations, strict=True) if not name]
    assert unknown == [p for p in kept if p in PEOPLE[:3]]


def test_cis_rows_are_those_within_the_window(files, tmp_path):
    cohort = import_cohort(**files, out=tmp_path / "c")
    start, end = cohort.genes.select("start", "end").row(2)
    for window in (0, 15_000, 10_000, 9_999, 10**9):
        rows = cohort.cis_rows(2, window)
        starts = cohort.genotypes.variants["start"].to_numpy()
        expected = np.flatnonzero((starts >= start - window) & (starts < end + window))
        np.testing.assert_array_equal(np.arange(rows.start, rows.stop), expected)


def test_genes_that_cannot_be_modelled_are_dropped_with_a_reason(files, tmp_path):
    def gene(name, cells, chrom="22"):
        return [chrom, "700000", "700001", name, "9", "+", *cells]

    odd = [
        gene("flat", ["2.5"] * N_PEOPLE),
        gene("void", ["NA"] * N_PEOPLE),
        gene("thin", ["1", "2"] + ["NaN"] * (N_PEOPLE - 2)),
        gene("far", [str(i) for i in range(N_PEOPLE)], chrom="chr7"),
        gene("fine", ["", *(str(-i) for i in range(1, N_PEOPLE))]),
    ]
    expression = _bed(tmp_path / "odd.bed", odd=odd)
    cohort = import_cohort(files["genotypes"], expression, out=tmp_path / "c")
    assert cohort.genes["gene"].to_list() == [*(f"g{i}" for i in range(N_GENES)), "fine"]
    assert np.isnan(cohort.expression[-1, 0])
    account = cohort.manifest.metadata["account"]["genes"]
    assert account["n_read"] == N_GENES + 5
    assert account["dropped"] == {
        "a value in fewer than 20 people": 1,
        "chromosome without genotypes": 1,
        "no value in anybody": 1,
        "the same value in everybody": 1,
    }
    dropped = pl.read_parquet(cohort.path / "genes_dropped.parquet")
    assert dropped["gene"].to_list() == ["flat", "void", "thin", "far"]


def test_relatives_share_a_family(tmp_path, files, monkeypatch):
    monkeypatch.setattr("cisgram.data.splits._MIN_SNPS", 100)
    people = [*PEOPLE, "twin"]
    lines = files["genotypes"].read_text().splitlines()
    doubled = [
        line if line.startswith("##") else f"{line}\t{line.split()[9 + 4]}" for line in lines
    ]
    doubled[3] = "\t".join([*doubled[3].split("\t")[:-1], "twin"])
    vcf = tmp_path / "twins.vcf"
    vcf.write_text("\n".join(doubled) + "\n")
    expression = _bed(tmp_path / "twins.bed", people=people)
    cohort = import_cohort(vcf, expression, out=tmp_path / "c")
    assert cohort.families[4] == cohort.families[-1]
    assert len(set(cohort.families.tolist())) == N_PEOPLE
    assert cohort.manifest.metadata["account"]["relatives"]["pairs"] == [[PEOPLE[4], "twin", 0.5]]
    alone = import_cohort(
        vcf, expression, out=tmp_path / "d", options=ImportOptions(relatives=False)
    )
    assert len(set(alone.families.tolist())) == N_PEOPLE + 1


def test_a_matching_reference_is_accepted_and_another_build_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(5)
    bases = rng.choice(list("ACGT"), size=2_100_000)
    fasta = tmp_path / "ref.fa"
    fasta.write_text(">chr22\n" + "".join(bases) + "\n")
    refs = [str(bases[10_000 * (i + 1)]) for i in range(N_SNPS)]
    expression = _bed(tmp_path / "e.bed")
    right = _vcf(tmp_path / "right.vcf", refs=refs)
    cohort = import_cohort(right, expression, reference=fasta, out=tmp_path / "c")
    assert cohort.manifest.metadata["account"]["genotypes"]["n_reference_mismatch"] == 0
    wrong = _vcf(tmp_path / "wrong.vcf", refs=refs[1:] + refs[:1])
    with pytest.raises(DataError, match="build"):
        import_cohort(wrong, expression, reference=fasta, out=tmp_path / "d")
    assert not (tmp_path / "d").exists()


def _renamed(old: str, new: str):
    return [person.replace(old, new) for person in PEOPLE]


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (["a", "b", "c"], r"no person has both.*HG00000, HG00001 and 28 more.*a, b and 1 more"),
        (PEOPLE[:3], r"only 3 people have both .*cross-validation needs at least 20"),
        ([f"{p}_{p}" for p in PEOPLE], "HG00000 and HG00000_HG00000 look like the same person"),
        (_renamed("HG", "hg"), "HG00000 and hg00000 look like the same person"),
        (_renamed("HG0", "HG.0"), r"no person has both"),
    ],
)
def test_people_who_do_not_match_are_shown(files, tmp_path, people, message):
    expression = _bed(tmp_path / "other.bed", people=people)
    with pytest.raises(DataError, match=message):
        import_cohort(files["genotypes"], expression, out=tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("genotyped", "expressed"),
    [
        ("GTEX-1117F", "GTEX.1117F"),
        ("GTEX-1117F", "GTEX-1117F-0226-SM-5GZZ7"),
        ("0_NA12878", "NA12878"),
        ("NA12878", "na12878 "),
    ],
)
def test_spellings_that_look_alike(genotyped, expressed):
    assert f"{genotyped} and {expressed} look like" in near_miss([genotyped], [expressed])
    assert near_miss(["NA12878"], ["NA12879"]) == ""


def test_places_that_do_not_match_are_named(files, tmp_path):
    elsewhere = _bed(tmp_path / "chrom.bed", chrom="chr7")
    with pytest.raises(DataError, match="genes are on chr7 and genotypes on 22"):
        import_cohort(files["genotypes"], elsewhere, out=tmp_path / "c")
    shifted = _bed(tmp_path / "build.bed", shift=80_000_000)
    with pytest.raises(DataError, match=r"within 1,000,000 bases .*same genome build"):
        import_cohort(files["genotypes"], shifted, out=tmp_path / "c")


def _annotation(path: Path, genes=N_GENES) -> Path:
    """Write genes of 5,000 bases, with an exon of 100, 200, ... bases at their start."""
    rows = []
    for i in range(genes):
        start, text = 500_001 + 100_000 * i, f'gene_id "g{i}"; transcript_id "t{i}";'
        for what, length in (("gene", 5000), ("transcript", 5000), ("exon", 100 * (i + 1))):
            end = start + length - 1
            rows.append(["22", "x", what, str(start), str(end), ".", "+", ".", text])
    return _write(path, rows)


def test_read_counts_become_transcripts_per_million(files, tmp_path, capsys):
    from cisgram.cli.cohort import app

    annotation = _annotation(tmp_path / "genes.gtf")
    plain = import_cohort(**files, annotation=annotation, out=tmp_path / "plain")
    arguments = ["import", *(f"--{k}={v}" for k, v in files.items()), "--counts"]
    arguments += [f"--annotation={annotation}", f"--out={tmp_path / 'c'}"]
    app(arguments, result_action="return_value")
    assert re.search(r"values +transcripts per million", capsys.readouterr().out)
    cohort = Cohort.open(tmp_path / "c")
    rates = plain.expression / (100 * np.arange(1, N_GENES + 1))[:, None]
    np.testing.assert_allclose(cohort.expression, 1e6 * rates / rates.sum(axis=0))
    told = [c.manifest.metadata["account"]["genes"]["tpm"] for c in (cohort, plain)]
    assert told == [True, False]


def test_read_counts_need_the_exons_of_every_gene(files, tmp_path):
    chosen = {"out": tmp_path / "c", "options": ImportOptions(counts=True)}
    with pytest.raises(ConfigError, match=r"--counts needs .* give a GTF or GFF3"):
        import_cohort(**files, **chosen)
    few = _annotation(tmp_path / "genes.gtf", genes=6)
    with pytest.raises(ConfigError, match="has none of g6, g7; give"):
        import_cohort(**files, annotation=few, **chosen)


@pytest.mark.parametrize(
    ("what", "rows", "message"),
    [
        ("covariates", [["id", "x", "y"], ["age", "1", "2"]], "covariate table names none"),
        (
            "covariates",
            [["id", *PEOPLE], ["age", "1", "2", *["NA"] * 28]],
            "30 people have genotypes and expression and 2 of them all covariates",
        ),
        ("populations", [["x", "FIN"], ["y", "FIN"]], "population table names none of the 30"),
    ],
)
def test_tables_of_other_people_are_refused(files, tmp_path, what, rows, message):
    table = _write(tmp_path / "t.tsv", rows)
    with pytest.raises(DataError, match=message):
        import_cohort(**files, **{what: table}, out=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_missing_files_and_taken_places_are_named(files, tmp_path):
    with pytest.raises(DataError, match=r"expression .* does not exist"):
        import_cohort(files["genotypes"], tmp_path / "no.bed", out=tmp_path / "c")
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match="exists already"):
        import_cohort(**files, out=tmp_path / "c")
    with pytest.raises(ConfigError, match="kinship_threshold must be between"):
        ImportOptions(kinship_threshold=2)


def test_a_damaged_cohort_is_not_opened(files, tmp_path):
    cohort = import_cohort(**files, out=tmp_path / "c")
    manifest = json.loads((cohort.path / "manifest.json").read_text())
    (cohort.path / "manifest.json").write_text(json.dumps(manifest | {"version": 99}))
    with pytest.raises(DataError, match="format 99 of cohort"):
        Cohort.open(cohort.path)
    (cohort.path / "manifest.json").write_text(json.dumps(manifest))
    (cohort.path / "genotypes" / "calls.u8").write_bytes(b"short")
    with pytest.raises(DataError, match=r"calls\.u8 is missing or cut short"):
        Cohort.open(cohort.path)


def test_sources_are_remembered_with_their_hashes(files, tmp_path):
    from cisgram.core.artifact import sha256

    cohort = import_cohort(**files, out=tmp_path / "c")
    source = describe(cohort).sources["expression"]
    assert source["sha256"] == sha256(files["expression"])
    assert source["path"] == str(files["expression"].resolve())


def test_a_cohort_travels_to_other_processes_as_its_path(files, tmp_path):
    cohort = import_cohort(**files, out=tmp_path / "c")
    packed = pickle.dumps(cohort)
    assert len(packed) < 1000
    again = pickle.loads(packed)
    np.testing.assert_array_equal(again.expression, cohort.expression)
    assert again.people == cohort.people


def test_a_killed_import_leaves_nothing_and_its_rest_is_swept(files, tmp_path):
    script = (
        "import os, signal, sys\n"
        "import cisgram.personal.cohort as module\n"
        "def dies(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "module._write_covariates = dies\n"
        "module.import_cohort(sys.argv[1], sys.argv[2], out=sys.argv[3])\n"
    )
    out = tmp_path / "made" / "c"
    command = [sys.executable, "-c", script, *map(str, files.values()), str(out)]
    path = os.pathsep.join(sys.path)
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    left = [p for p in out.parent.iterdir() if p.is_dir()]
    assert len(left) == 1
    neighbour = out.parent / ".c.d.abcdefgh"
    neighbour.mkdir()
    import_cohort(**files, out=out)
    assert sorted(p.name for p in out.parent.iterdir()) == [neighbour.name, "c"]


def test_the_summary_reads_well(files, tmp_path):
    summary = describe(import_cohort(**files, out=tmp_path / "c"))
    lines = dict(summary.lines())
    assert lines["people"] == "30"
    assert lines["genes"] == "8"
    assert lines["populations"] == "unknown"
    assert lines["relatives"] == "not looked for (196 suitable SNPs)"
    account = summary.account | {"genes": {**summary.account["genes"], "dropped": {"odd": 2}}}
    assert dict(replace(summary, account=account).lines())["genes"] == "8 (left out: 2 odd)"


def test_the_command_line_imports_and_shows(files, tmp_path, capsys):
    from cisgram.cli.cohort import app

    out, shown = tmp_path / "c", tmp_path / "c.json"
    arguments = ["import", *(f"--{k}={v}" for k, v in files.items()), f"--out={out}"]
    app(arguments, result_action="return_value")
    assert "people" in capsys.readouterr().out
    app(["show", str(out), "--json", str(shown)], result_action="return_value")
    assert "not looked for" in capsys.readouterr().out
    facts = json.loads(shown.read_text())
    assert facts["n_people"] == 30
    assert facts["account"]["genes"]["n_kept"] == N_GENES
