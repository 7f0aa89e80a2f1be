"""`cisgram personal`: models of expression across people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from cisgram.cli.accuracy import show_evaluation, show_fit
from cisgram.cli.claims import Directory, Overwrite
from cisgram.cli.options import GenotypeFiles, save_json, say
from cisgram.core.places import check_new
from cisgram.personal.fit_config import FitConfig
from cisgram.personal.gwas_columns import GwasOptions

if TYPE_CHECKING:
    import polars as pl

    from cisgram.personal.predictdb import WeightSet

app = App(
    name="personal",
    help="Model expression across people from their genotypes.",
)

Executor = Literal["serial", "processes", "ray"]
Ambiguous = Literal["keep", "drop", "same-strand"]
_DEFAULT = FitConfig()
_USUAL = GwasOptions()
_FALSE_DISCOVERIES = 0.05


@app.command
def fit(
    cohort: Path,
    /,
    *,
    out: Directory,
    genes: str | None = None,
    config: Annotated[FitConfig, Parameter(name="*")] = _DEFAULT,
    executor: Executor = "processes",
    workers: int | None = None,
    json: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit one linear model a gene and measure it in people held out.

    Interrupted, the same command goes on where it stopped.

    Args:
        cohort: Directory made by `cisgram cohort import`.
        out: Directory to make.
        genes: Genes between commas, a file with one on each line, or the number of genes to take
            from the start of the cohort; all by default.
        executor: Where genes are fitted: here, on local processes, or on Ray.
        workers: Genes fitted at once; all CPUs when left out.
        json: Also write a row a gene to this file.
    """
    from cisgram.personal.cohort import Cohort
    from cisgram.personal.fit import fit_cohort

    chosen = None if genes is None else _named(genes, Cohort.open(cohort).genes, cohort)
    result = fit_cohort(cohort, config, out, genes=chosen, executor=executor, workers=workers)
    save_json(json, {"task": result.task, "genes": result.genes.to_dicts()})
    show_fit(result)


@app.command
def prior(
    cohort: Path,
    /,
    *,
    elements: Path | None = None,
    at_least: int = 1,
    times: float = 4.0,
    effects: Path | None = None,
    out: Path,
    overwrite: Overwrite = False,
) -> None:
    """Weigh a cohort's variants, for `cisgram personal fit --prior`.

    Args:
        cohort: Directory made by `cisgram cohort import`.
        elements: BED of regions; variants in them weigh more.
        at_least: Number of regions a variant must be in, as of binding sites of many factors.
        times: Weight of variants in the regions; others weigh 1.
        effects: Table of `cisgram variants score`: a variant weighs 1, and more by what the model
            predicts of its alleles. With --elements, the weights are multiplied.
        out: Table to write: chrom, pos, ref, alt, weight.
    """
    import numpy as np

    from cisgram.core.checks import ConfigError
    from cisgram.personal import snp_prior
    from cisgram.personal.cohort import Cohort

    genotypes = Cohort.open(cohort).genotypes
    variants, names = genotypes.variants, genotypes.names
    weights = np.ones(variants.height)
    if elements is None and effects is None:
        raise ConfigError("what are variants weighed by? Give --elements, --effects, or both.")
    if elements is not None:
        weights = snp_prior.weigh_elements(
            elements, variants, names, at_least=at_least, times=times
        )
    if effects is not None:
        weights = weights * snp_prior.weigh_effects(effects, variants, names)
    snp_prior.write_weights(out, variants, weights)
    n_heavy = int((weights > 1).sum())
    say(f"{n_heavy:,} of {variants.height:,} variants weigh more than 1. The table is {out}.")


@app.command
def evaluate(
    *fits: Path,
    train_populations: str | None = None,
    test_populations: str | None = None,
    executor: Executor = "processes",
    workers: int | None = None,
    json: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare fits over genes, with bootstrap intervals; the first is the baseline.

    With populations named, each model is trained anew on some and scored in others; the new
    fits are kept beside the old ones.

    Args:
        fits: Directories made by `cisgram personal fit` on one cohort.
        train_populations: Learn from these, as in GBR,CEU.
        test_populations: Score in these.
        executor: Where genes are fitted: here, on local processes, or on Ray.
        workers: Genes fitted at once; all CPUs when left out.
        json: Also write the table to this file.
    """
    from cisgram.core.checks import ConfigError
    from cisgram.personal.evaluate import evaluate_across, evaluate_fits
    from cisgram.personal.fit import Fit

    if (train_populations is None) != (test_populations is None):
        raise ConfigError("--train-populations and --test-populations go together; name both.")
    opened = [Fit.open(path) for path in fits]
    if train_populations is None or test_populations is None:
        result = evaluate_fits(opened)
    else:
        populations = {"train": [train_populations], "test": [test_populations]}
        result = evaluate_across(opened, **populations, executor=executor, workers=workers)
    save_json(json, result.as_dict())
    show_evaluation(result)


@app.command
def predict(
    models: Path,
    /,
    *,
    genotypes: GenotypeFiles,
    out: Path,
    all_genes: Annotated[bool, Parameter(negative="")] = False,
    dosages: Annotated[bool, Parameter(negative="")] = False,
    ambiguous: Ambiguous = "keep",
    build: str = "",
    overwrite: Overwrite = False,
) -> None:
    """Predict expression of people from their genotypes, and account for every SNP.

    Args:
        models: A directory made by `cisgram personal fit`, or a PredictDB file.
        genotypes: VCF, BCF, .pgen or .bed of PLINK, BGEN; or several, one for each chromosome, of
            the same people.
        out: Table to write, genes by people: .tsv or .parquet; accounts of genes and SNPs go
            beside it.
        all_genes: Of a fit, also use models that failed the acceptance rule.
        dosages: Read imputed dosages (DS) instead of genotypes.
        ambiguous: Keep, drop, or trust the strand of A/T and C/G SNPs.
        build: Assembly of the genotypes, such as b37; for weights that name theirs (a .db).
    """
    from cisgram.personal.predict import files_beside, predict_file

    for derived in files_beside(out):
        check_new(derived, overwrite=overwrite)
    weights = _read_models(models, accepted_only=not all_genes)
    prediction = predict_file(
        weights, genotypes, dosage_field=dosages, ambiguous=ambiguous, build=build
    )
    listed = prediction.write(out)
    used, total = (int(prediction.account[name].sum()) for name in ("n_used", "n_model"))
    scale = "residual z-scores" if prediction.centred else "raw sums of weight x dosage"
    say(
        *prediction.notes,
        f"{len(prediction.genes):,} genes x {len(prediction.people):,} people are in {out}, "
        f"as {scale}",
        f"{used:,} of {total:,} model SNPs were used; {listed} says which and why not.",
        wrap=False,
    )


@app.command
def export(
    models: Path,
    /,
    *,
    out: Path,
    build: str = "",
    genotypes: GenotypeFiles = (),
    genome_share: float = 1.0,
    all_genes: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write models as a PredictDB file with covariances and phi, for PrediXcan and S-PrediXcan.

    Args:
        models: A directory made by `cisgram personal fit`, or a PredictDB file.
        out: SQLite file to write, ending in .db; covariances go beside it.
        build: Assembly, such as b37 or b38: of a fit's positions; of the panel for a .db.
        genotypes: LD panel for covariances and phi, files as `predict` takes; a fit has its own
            people.
        genome_share: Share of a whole genome's heritability that lies on the panel's SNPs.
        all_genes: Of a fit, also export models that failed the acceptance rule.
    """
    from cisgram.core.checks import ConfigError
    from cisgram.personal.export import covariance_path, export_predictdb, recalibrate_predictdb
    from cisgram.personal.fit import Fit

    check_new(covariance_path(out), overwrite=overwrite)
    if models.is_dir():
        opened = Fit.open(models)
        done = export_predictdb(
            opened, opened.open_cohort(), out, accepted_only=not all_genes, build=build,
            panel=genotypes or None, share=genome_share,
        )  # fmt: skip
    elif not genotypes:
        raise ConfigError(f"{models} has no genotypes of people; name a panel with --genotypes.")
    else:
        done = recalibrate_predictdb(models, genotypes, out, build=build, share=genome_share)
    say(
        *done.notes,
        f"{done.n_genes:,} models with {done.n_weights:,} weights are in {done.database}",
        f"Covariances of {done.n_covered:,} weights are in {done.covariances}",
        wrap=False,
    )


@app.command
def drivers(
    fit: Path,
    /,
    *,
    out: Path,
    genes: str | None = None,
    direction: Literal["forward", "backward"] = "forward",
    overwrite: Overwrite = False,
) -> None:
    """Find the SNPs that drive each gene's prediction, and compare their signs with eQTLs.

    Args:
        fit: A directory made by `cisgram personal fit`.
        out: TSV to write, a row a driver.
        genes: Genes between commas, a file with one on each line, or a number of genes of the fit;
            all accepted ones by default.
        direction: Add SNPs one by one, or take them out of the whole.
    """
    from cisgram.personal.drivers import find_drivers
    from cisgram.personal.fit import Fit

    opened = Fit.open(fit)
    chosen = None if genes is None else _named(genes, opened.genes, fit)
    found = find_drivers(opened, opened.open_cohort(), genes=chosen, direction=direction)
    found.write(out)
    say(
        f"{len(found.snps):,} drivers of {len(found.genes):,} genes are in {out}",
        f"Their sign agrees with the eQTL slope in {found.agreement.value:.1%} "
        f"({found.agreement.low:.1%} to {found.agreement.high:.1%}); always guessing the commoner "
        f"sign would reach {found.majority:.1%}.",
        wrap=False,
    )


@app.command
def associate(
    models: Path,
    /,
    *,
    covariances: Path,
    gwas: Path,
    out: Path,
    options: Annotated[GwasOptions, Parameter(name="*")] = _USUAL,
    ambiguous: Ambiguous = "keep",
    build: str = "",
    overwrite: Overwrite = False,
) -> None:
    """Test genes against a trait from GWAS summary statistics (S-PrediXcan).

    Args:
        models: A PredictDB file, as written by `cisgram personal export`.
        covariances: The covariance file that belongs to it.
        gwas: Table of summary statistics, as any common program writes it, or a GWAS in VCF.
        out: TSV to write, most significant gene first; the SNPs go beside it.
        ambiguous: Keep, drop, or trust the strand of A/T and C/G SNPs.
        build: Assembly of the GWAS, such as b37; for weights that name theirs.
    """
    from cisgram.personal.gwas import read_gwas
    from cisgram.personal.predictdb import WeightSet
    from cisgram.personal.spredixcan import associate as associate_genes
    from cisgram.personal.spredixcan import snps_beside

    check_new(snps_beside(out), overwrite=overwrite)
    found = associate_genes(
        WeightSet.read(models),
        read_gwas(gwas, columns=options.roles()),
        covariances,
        n=options.n,
        h2=options.h2,
        ambiguous=ambiguous,
        build=build,
    )
    listed = found.write(out)
    n_significant = int((found.genes["q_value"] < _FALSE_DISCOVERIES).sum())
    used = int(found.genes["n_snps_used"].sum())
    say(
        *found.notes,
        f"{len(found.genes):,} genes are in {out}, {n_significant:,} of them with a false "
        f"discovery rate below {_FALSE_DISCOVERIES:.0%}",
        f"{used:,} of {len(found.snps):,} model SNPs were used; {listed} says which and why not.",
        wrap=False,
    )


def _named(genes: str, table: "pl.DataFrame", where: Path) -> list[str]:
    """Return genes of a cohort or a fit, which may be named without their versions."""
    from cisgram.genome.genes import read_gene_list

    known = table["gene"].to_list()
    bare = {name.partition(".")[0] for name in known}
    return read_gene_list(genes, known, str(where), aliases=bare)


def _read_models(path: Path, *, accepted_only: bool) -> "WeightSet":
    """Open a fit's directory or a PredictDB file."""
    from cisgram.personal.fit import Fit
    from cisgram.personal.predictdb import WeightSet

    if path.is_dir():
        return WeightSet.from_fit(Fit.open(path), accepted_only=accepted_only)
    return WeightSet.read(path)
