"""Write one table of numbers of yeast genes, what a model of genes learns.

    python scripts/yeast_genes.py --data ../shared/data/yeast --out .cache/yeast-tracks/genes.tsv

A row a protein-coding gene of Ensembl's R64 annotation; empty where a study has no number.

- `rnaseq_wt`: log2(1 + TPM), mean of three replicates of S288C in YPD (Policastro et al. 2020).
- `rnaseq_snf2`: change from wild type to snf2 deletion, log2(1 + TPM), means of 48 replicates each
  (Gierlinski et al. 2015).
- `segregants`: mean log2 expression over 1,012 segregants of BY and RM (Albert et al. 2018).
- `half_life`: log2 minutes (Neymotin et al. 2014).
- `N_downshift_5min` to `Rapamycin_79min`: log2 fold changes after a change of nitrogen or rapamycin
  (as compiled by the yeast_phospho resource).
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.core.artifact import atomic_file
from cisgram.data.counts import exon_lengths, tpm
from cisgram.data.expression import ExpressionTable
from cisgram.genome.genes import Annotation, read_genes

ANNOTATION = "genome/Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz"
RNASEQ = "expression/policastro2020_S288C_WT_rnaseq_counts.tsv.gz"
SNF2 = "expression/gierlinski2015_WT48_snf2_48_counts.tsv.gz"
SEGREGANTS = "expression/gene_level_annotations_albert.tsv.gz"
HALF_LIFE = "expression/neymotin2014_halflife_synthesis_abundance.csv.gz"
TIME_COURSE = "expression/nitrogen_shift_timecourse_log2fc.tsv.gz"


def log_tpm(path: Path, annotation: Annotation) -> pl.DataFrame:
    """Return log2(1 + TPM) of every library, genes without exons left out."""
    counts = pl.read_csv(path, separator="\t", infer_schema_length=10_000)
    known = counts.join(exon_lengths(annotation).select("gene"), on="gene", how="semi")
    people = tuple(name for name in counts.columns if name != "gene")
    table = ExpressionTable(
        genes=known.select("gene"), people=people, values=known.select(people).to_numpy() * 1.0
    )
    values = np.log2(1 + tpm(table, annotation).values)
    return known.select("gene").hstack(pl.DataFrame(values, schema=list(people)))


def mean_of(table: pl.DataFrame, prefix: str) -> pl.Expr:
    """Average the columns of that beginning."""
    return pl.mean_horizontal([name for name in table.columns if name.startswith(prefix)])


def gene_table(data: Path) -> pl.DataFrame:
    """Join all studies on the genes of the annotation."""
    annotation = read_genes(data / ANNOTATION)
    genes = annotation.genes.filter(pl.col("biotype") == "protein_coding").select("gene")
    wild = log_tpm(data / RNASEQ, annotation)
    snf2 = log_tpm(data / SNF2, annotation)
    segregants = pl.read_csv(data / SEGREGANTS, separator="\t", infer_schema_length=10_000)
    half_life = pl.read_csv(data / HALF_LIFE, infer_schema_length=10_000)
    course = pl.read_csv(data / TIME_COURSE, separator="\t", infer_schema_length=10_000)
    course = course.rename({course.columns[0]: "gene"})
    parts = [
        wild.select("gene", rnaseq_wt=mean_of(wild, "S288C")),
        snf2.select("gene", rnaseq_snf2=mean_of(snf2, "Snf2") - mean_of(snf2, "WT")),
        segregants.select("gene", segregants="expression"),
        half_life.filter(pl.col("thalf") > 0).select(gene="Syst", half_life=pl.col("thalf").log(2)),
        course,
    ]
    for part in parts:
        once = part.unique("gene", keep="none", maintain_order=True)
        genes = genes.join(once, on="gene", how="left", maintain_order="left")
    return genes


def main() -> None:
    """Write the table and say what is in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    table = gene_table(options.data)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(options.out) as building:
        table.write_csv(building, separator="\t", float_precision=6)
    for name in table.columns[1:]:
        column = table[name].drop_nulls()
        print(f"{name}: {column.len():,} genes, mean {column.mean():.3f}, sd {column.std():.3f}")


if __name__ == "__main__":
    main()
