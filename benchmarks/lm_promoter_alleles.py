"""Natural alleles of yeast promoters, for benchmarks/lm_motifs.py.

Haplotypes: every 80-base promoter fragment of the library of native yeast promoters in the 1,011
isolates, with the number of isolates that have it (Vaishnav et al. 2022; Peter et al. 2018).
Variants: those between two strains whose effects on expression were measured, with their
frequencies (Renganaath et al. 2020).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cisgram.genome.alphabet import encode, reverse_complement
from cisgram.genome.reference import Reference

FRAGMENT = 80
MOST_CHANGES = 8
"""Substitutions of a haplotype beyond which it is an insertion or deletion shifted."""


@dataclass(frozen=True)
class Haplotypes:
    """Haplotypes that differ from the reference by substitutions only."""

    promoter: np.ndarray
    """Number of the promoter of each haplotype."""
    count: np.ndarray
    """Isolates that have it."""
    changes: list[np.ndarray]
    """Rows of `sites` of each haplotype."""
    sites: pl.DataFrame
    """promoter, chrom, position (0-based), ref, alt (tokens, forward strand), count (isolates
    with this allele), total (isolates with any haplotype of the promoter that is used)."""
    account: dict[str, int]


def read_haplotypes(
    data: Path,
    reference: Reference,
    tokens: Mapping[str, np.ndarray],
    *,
    copied: Mapping[str, np.ndarray],
) -> Haplotypes:
    """Place every promoter on the reference and list how its haplotypes differ.

    Promoters that hold copies of training sequence are left out.
    """
    fragments = pl.read_csv(
        data / "mpra" / "vaishnav_native_promoter_divergence.tsv.gz", separator="\t"
    ).select("proName", "Q_seq")
    alleles = pl.read_csv(
        data / "mpra" / "vaishnav_native_orthologous_promoters_1011.txt.gz", separator="\t"
    )
    places = _place(dict(fragments.iter_rows()), reference)
    account = {
        "promoters": fragments.height,
        "haplotypes": alleles.height,
        "promoters_placed_once": len(places),
    }
    held_out = {
        name: place
        for name, place in places.items()
        if place[0] in tokens and not copied[place[0]][place[1] : place[1] + FRAGMENT].any()
    }
    used = alleles.filter(pl.col("proName").is_in(list(held_out)))
    account |= {"promoters_held_out": len(held_out), "haplotypes_held_out": used.height}
    rows: list[tuple[int, int, list[tuple[int, int, int]]]] = []
    names = sorted(held_out)
    for number, name in enumerate(names):
        chrom, start, reverse = held_out[name]
        for text, count in (
            used.filter(pl.col("proName") == name).select("ortho_seq", "num_isolates").iter_rows()
        ):
            letters = encode(text)
            letters = reverse_complement(letters) if reverse else letters
            own = tokens[chrom][start : start + len(letters)]
            changed = np.flatnonzero(letters != own)
            if len(changed) <= MOST_CHANGES and not (letters == 4).any():
                edits = [(start + int(i), int(own[i]), int(letters[i])) for i in changed]
                rows.append((number, count, edits))
    account["haplotypes_by_substitution"] = len(rows)
    return _join(rows, [held_out[name][0] for name in names], account)


def _place(fragments: Mapping[str, str], reference: Reference) -> dict[str, tuple[str, int, bool]]:
    """Find each fragment that the reference has exactly once; others are left out."""
    chromosomes = [name for name in reference.contigs if name != "chrM"]
    joined = np.concatenate(
        [np.append(reference.contig(name), np.uint8(4)) for name in chromosomes]
    )
    lengths = [reference.contigs[name] + 1 for name in chromosomes]
    firsts = np.cumsum([0, *lengths[:-1]])
    size = 28
    views = np.lib.stride_tricks.sliding_window_view(joined, size)
    keys = np.zeros(len(views), dtype=np.int64)
    for i in range(size):
        keys = keys * 4 + (views[:, i] & 3)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    found: dict[str, tuple[str, int, bool]] = {}
    for name, text in fragments.items():
        hits: list[tuple[int, bool]] = []
        for reverse in (False, True):
            letters = reverse_complement(encode(text)) if reverse else encode(text)
            key = 0
            for letter in letters[:size].tolist():
                key = key * 4 + (letter & 3)
            low, high = np.searchsorted(ordered, [key, key + 1])
            hits += [
                (int(at), reverse)
                for at in order[low:high]
                if np.array_equal(joined[at : at + len(letters)], letters)
            ]
        if len(hits) == 1:
            at, reverse = hits[0]
            chrom = int(np.searchsorted(firsts, at, side="right")) - 1
            found[name] = (chromosomes[chrom], at - int(firsts[chrom]), reverse)
    return found


def _join(
    rows: Sequence[tuple[int, int, list[tuple[int, int, int]]]],
    chroms: Sequence[str],
    account: dict[str, int],
) -> Haplotypes:
    totals: dict[int, int] = {}
    counts: dict[tuple[int, int, int, int], int] = {}
    for number, count, edits in rows:
        totals[number] = totals.get(number, 0) + count
        for edit in edits:
            counts[number, *edit] = counts.get((number, *edit), 0) + count
    keys = {key: row for row, key in enumerate(sorted(counts))}
    sites = pl.DataFrame(
        [(key[0], chroms[key[0]], *key[1:], counts[key], totals[key[0]]) for key in keys],
        schema=["promoter", "chrom", "position", "ref", "alt", "count", "total"],
        orient="row",
    )
    others = [row for row in rows if row[2]]
    account |= {"haplotypes_not_reference": len(others), "substitutions": sites.height}
    return Haplotypes(
        np.array([row[0] for row in others]),
        np.array([row[1] for row in others]),
        [np.array([keys[number, *edit] for edit in edits]) for number, _, edits in others],
        sites,
        account,
    )


def measured_variants(
    data: Path, reference: Reference, tokens: Mapping[str, np.ndarray]
) -> pl.DataFrame:
    """Return substitutions of the reporter assay on the evaluated chromosomes, each once.

    Columns chrom, position, ref, alt (tokens), effect (mean absolute log2 fold change),
    significant, frequency (of alt in the population).
    """
    table = pl.read_csv(
        data / "variation" / "renganaath2020_MPRA_variant_effects.tsv.gz",
        separator="\t",
        infer_schema_length=None,
    )
    rows = (
        table.filter((pl.col("ref").str.len_chars() == 1) & (pl.col("alt").str.len_chars() == 1))
        .filter(pl.col("chr").is_in(list(tokens)))
        .with_columns(position=pl.col("pos") - 1)
        .group_by("chr", "position", "ref", "alt", maintain_order=True)
        .agg(
            effect=pl.col("logFC").abs().mean(),
            significant=(pl.col("adj.P.Val") < 0.05).any(),
            frequency=pl.col("populationFreq").cast(pl.Float64, strict=False).first(),
        )
        .rename({"chr": "chrom"})
    )
    letters = {"A": 0, "C": 1, "G": 2, "T": 3}
    rows = rows.with_columns(
        pl.col("ref").replace_strict(letters), pl.col("alt").replace_strict(letters)
    )
    right = [
        int(tokens[chrom][position]) == ref
        for chrom, position, ref in rows.select("chrom", "position", "ref").iter_rows()
    ]
    return rows.filter(pl.Series(right))
