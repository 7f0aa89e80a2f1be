"""Finds a model's SNPs among other variants and settles which allele is counted.

SNPs are matched by position and alleles, or by ID and alleles, whatever bases around an insertion
or a deletion are written with it. Every SNP of every gene gets
one outcome, so that used and lost SNPs always add up to the model.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from cisgram.core.checks import ConfigError, DataError, check_choice, few
from cisgram.genome.chromosomes import ChromosomeNames
from cisgram.genome.variant import trimmed
from cisgram.personal.predictdb import WeightSet
from cisgram.personal.predictdb_reader import assembly

Ambiguous = Literal["keep", "drop", "same-strand"]
"""What becomes of A/T and C/G SNPs, whose two strands look alike.

`keep` takes their alleles as they stand, used or swapped, as MetaXcan does; `drop` leaves them
all out; `same-strand` trusts that both sides are on the forward strand and never tries the
other strand for any SNP."""

OUTCOMES = ("used", "swapped", "flipped", "flipped and swapped", "ambiguous", "mismatch", "absent")
_USED, _SWAPPED, _FLIPPED, _BOTH, _AMBIGUOUS, _MISMATCH, _ABSENT = range(7)
_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
_FEWEST_MOVED = 3  # SNPs found elsewhere by ID before the positions are given up
_FEWEST_FOUND = 20  # SNPs found before their alleles tell of a wrong build
_WRONG_ALLELES = 0.25  # share of those; by chance nearly half, as most SNPs are transitions
_CHANCE = 0.1  # share of the model that another assembly may still match


@dataclass(frozen=True)
class Harmonized:
    """Where each SNP of each gene was found, and how its alleles compare."""

    snps: pl.DataFrame
    """The model's weights in their order, and `outcome` (one of `OUTCOMES`), `row` (of the
    target; null unless used), `swapped` (count the other allele: 2 - dosage, or -z),
    `duplicate` (equally good rows were passed over), and what stands in the row that was
    found, used or not: `found_id found_ref found_alt`."""
    account: pl.DataFrame
    """A row a gene: `gene n_model n_used n_swapped n_flipped n_ambiguous n_absent n_mismatch
    n_duplicate`. `n_model` is the sum of `n_used` and the three ways of losing a SNP; swapped,
    flipped and duplicate SNPs are among the used."""
    notes: tuple[str, ...]

    def listed(self, *more: pl.Series) -> pl.DataFrame:
        """Return a row a SNP of a gene, with its outcome and further columns, for people."""
        position = (pl.col("start") + 1).alias("position")
        model = ("gene", "rsid", "var_id", "chrom", position, "ref", "eff", "weight")
        return self.snps.select(*model, "outcome", "found_id", "found_ref", "found_alt", *more)

    @property
    def total(self) -> dict[str, int]:
        """The account summed over genes."""
        return {name: int(self.account[name].sum()) for name in self.account.columns[1:]}


def harmonize(
    weights: WeightSet,
    target: pl.DataFrame,
    *,
    what: str,
    ambiguous: Ambiguous = "keep",
    build: str = "",
) -> Harmonized:
    """Match a model's SNPs with the rows of a table of variants.

    A usable row found by position is preferred to one found by ID unless most SNPs that both
    ways find lie elsewhere by ID, or both sides name different assemblies: then the positions
    are of another assembly, and IDs alone are used. Alleles decide between rows of one place,
    as at multi-allelic sites. Where several rows fit equally the first is taken.

    Args:
        weights: the model.
        target: `id chrom start ref alt`; `chrom` and `start` (0-based) may be null, `alt` is
            the allele that is counted or has the effect.
        what: the target's name in messages, such as `genotypes cohort.vcf.gz`.
        ambiguous: see `Ambiguous`.
        build: assembly of the target when known, such as `b37` or `GRCh38`.

    Raises:
        ConfigError: `ambiguous` is none of the three, or the model names no build to compare.
        DataError: not one SNP can be used, or so few, and so many have other alleles, that the
            positions must be of another assembly.
    """
    build = comparable_build(weights, build)
    check_choice(ambiguous, get_args(Ambiguous), "ambiguous")
    names = target["chrom"].drop_nulls().unique()
    model = _in_names_of(weights.weights, ChromosomeNames(names.to_list())).with_row_index("snp")
    candidates, notes = _candidates(model, target, build, weights=weights, what=what)
    judged = candidates.with_columns(code=_allele_code(ambiguous))
    snps = _best(model, judged)
    n_used = int((snps["code"] <= _BOTH).sum())
    if n_used == 0:
        raise DataError(_nothing_used(snps, target, weights, what=what, notes=notes))
    notes += _suspicions(judged, snps, what)
    outcome = pl.col("code").replace_strict(dict(enumerate(OUTCOMES)), return_dtype=pl.String)
    account = _account(snps, weights.genes["gene"])
    found = {f"found_{name}": target[name].gather(snps["best"]) for name in ("id", "ref", "alt")}
    snps = snps.with_columns(outcome=outcome, chrom=weights.weights["chrom"], **found)
    return Harmonized(snps.drop("snp", "code", "best"), account, tuple(notes))


def comparable_build(weights: WeightSet, build: str) -> str:
    """Return the usual name of a target's build, which the model's can be compared with."""
    if build and not weights.build:
        raise ConfigError(
            f"build {build} cannot be compared with {weights.source}, whose models name no "
            "assembly; leave --build out, or export them with their build and use that file."
        )
    return assembly(build)


def _in_names_of(weights: pl.DataFrame, names: ChromosomeNames) -> pl.DataFrame:
    """Spell the model's chromosomes as the target does; unknown ones match nothing."""
    spelling = {name: names.resolve(name) for name in weights["chrom"].drop_nulls().unique()}
    if not spelling:
        return weights
    renamed = pl.col("chrom").replace_strict(spelling, default=None, return_dtype=pl.String)
    return weights.with_columns(chrom=renamed)


def _candidates(
    model: pl.DataFrame, target: pl.DataFrame, build: str, *, weights: WeightSet, what: str
) -> tuple[pl.DataFrame, list[str]]:
    """Pair every SNP with the rows at its position and the rows of its ID."""
    theirs = target.with_row_index("row").select(
        "row", "id", "chrom", "start", pl.col("ref").str.to_uppercase().alias("their_ref"),
        pl.col("alt").str.to_uppercase().alias("their_alt"),
    )  # fmt: skip
    rows = _without_padding(theirs, "their_ref", "their_alt").lazy()
    ours = model.select("snp", "rsid", "var_id", "chrom", "start", "ref", "eff")
    snps = _without_padding(ours, "ref", "eff").lazy()
    by_position = snps.join(rows, on=["chrom", "start"], how="inner")
    elsewhere = (pl.col("start") != pl.col("start_right")) | (
        pl.col("chrom") != pl.col("chrom_right")
    )
    listed = pl.col("id").str.replace_all(",", ";", literal=True).str.split(";")
    several = rows.filter(pl.col("id").str.contains("[;,]")).with_columns(id=listed).explode("id")
    ids = pl.concat([rows, several])  # an ID may be a list, as rs11;rs991
    by_id = [
        snps.join(ids, left_on=key, right_on="id", how="inner").with_columns(moved=elsewhere)
        for key in ("rsid", "var_id")
    ]
    wanted = ["snp", "row", "ref", "eff", "their_ref", "their_alt"]
    placed = by_position.select(*wanted, moved=pl.lit(None, pl.Boolean), way=pl.lit(0))
    named = [frame.select(*wanted, "moved", way=pl.lit(1)) for frame in by_id]
    found = pl.concat([placed, *named]).collect()
    notes = _other_build(found, build, weights=weights, what=what)
    if notes:
        found = found.filter(pl.col("way") == 1)
    found = found.sort("snp", "row", "way")
    return found.unique(["snp", "row"], keep="first", maintain_order=True), notes


def _without_padding(table: pl.DataFrame, ref: str, alt: str) -> pl.DataFrame:
    """Take off the bases that both alleles share at their ends, of which programs write some."""
    is_longer = (pl.col(ref).str.len_bytes() > 1) | (pl.col(alt).str.len_bytes() > 1)
    known = pl.col(ref).is_not_null() & pl.col(alt).is_not_null()
    longer = table.filter(is_longer & known)
    found = [trimmed(*alleles) for alleles in longer.select(ref, alt).iter_rows()]
    schema = {"left": pl.Int64, ref: pl.String, alt: pl.String}
    changed = pl.DataFrame(found, schema=schema, orient="row")
    longer = longer.with_columns(pl.col("start") + changed["left"], changed[ref], changed[alt])
    return pl.concat([table.filter(~(is_longer & known)), longer])


def _other_build(found: pl.DataFrame, build: str, *, weights: WeightSet, what: str) -> list[str]:
    """Say when positions cannot be compared; empty when they can."""
    if build and weights.build and build != weights.build:
        return [
            f"The model is in {weights.build} and {what} in {build}: SNPs are matched by ID alone."
        ]
    known = found.filter(pl.col("moved").is_not_null())
    compared = known.group_by("snp").agg(pl.col("moved").all())
    n_moved = int(compared["moved"].sum())
    if n_moved >= _FEWEST_MOVED and n_moved > compared.height / 2:
        return [
            f"Of {compared.height:,} SNPs found by ID in {what}, {n_moved:,} lie at another "
            "position than in the model: the two are in different assemblies, "
            "so SNPs are matched by ID alone."
        ]
    return []


def _allele_code(ambiguous: str) -> pl.Expr:
    """Compare the two alleles of both sides; an index into `OUTCOMES`."""
    ref, eff, their_ref, their_alt = (pl.col(c) for c in ("ref", "eff", "their_ref", "their_alt"))
    other_ref, other_eff = (
        allele.replace_strict(_COMPLEMENT, default=None, return_dtype=pl.String)
        for allele in (ref, eff)
    )
    same = (ref == their_ref) & (eff == their_alt)
    swapped = (ref == their_alt) & (eff == their_ref)
    flipped = (other_ref == their_ref) & (other_eff == their_alt)
    both = (other_ref == their_alt) & (other_eff == their_ref)
    if ambiguous == "same-strand":
        return pl.when(same).then(_USED).when(swapped).then(_SWAPPED).otherwise(_MISMATCH)
    unclear = (other_ref == eff) & (same | swapped) & (ambiguous == "drop")
    cases = {
        _AMBIGUOUS: unclear, _USED: same, _SWAPPED: swapped, _FLIPPED: flipped, _BOTH: both
    }  # fmt: skip
    codes = [pl.when(case).then(code) for code, case in cases.items()]
    return pl.coalesce(*codes, _MISMATCH)


def _best(model: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Give every SNP its best row: usable first, position before ID, then alleles and order."""
    ranked = judged.sort("snp", pl.col("code") > _BOTH, "way", "code", "row")
    rank = pl.struct("way", "code")
    first = ranked.group_by("snp", maintain_order=True).agg(
        pl.col("code").first(),
        best=pl.col("row").first(),
        duplicate=(rank == rank.first()).sum() > 1,
    )
    snps = model.join(first, on="snp", how="left", maintain_order="left")
    snps = snps.with_columns(pl.col("code").fill_null(_ABSENT))
    used = pl.col("code") <= _BOTH
    return snps.with_columns(
        row=pl.when(used).then("best"),
        swapped=pl.col("code").is_in([_SWAPPED, _BOTH]),
        duplicate=used & pl.col("duplicate").fill_null(value=False),
    )


def _account(snps: pl.DataFrame, genes: pl.Series) -> pl.DataFrame:
    code = pl.col("code")
    counts = snps.group_by("gene").agg(
        n_model=pl.len(),
        n_used=(code <= _BOTH).sum(),
        n_swapped=code.is_in([_SWAPPED, _BOTH]).sum(),
        n_flipped=code.is_in([_FLIPPED, _BOTH]).sum(),
        n_ambiguous=(code == _AMBIGUOUS).sum(),
        n_absent=(code == _ABSENT).sum(),
        n_mismatch=(code == _MISMATCH).sum(),
        n_duplicate=pl.col("duplicate").sum(),
    )
    account = genes.to_frame("gene").join(counts, on="gene", how="left", maintain_order="left")
    return account.with_columns(pl.exclude("gene").fill_null(0).cast(pl.Int64))


def _suspicions(judged: pl.DataFrame, snps: pl.DataFrame, what: str) -> list[str]:
    """Say when few SNPs are used, or when places or IDs agree and alleles do not."""
    notes: list[str] = []
    found = judged.group_by("snp").agg(pl.col("code").min())
    n_wrong = int((found["code"] == _MISMATCH).sum())
    n_used = int((snps["code"] <= _BOTH).sum())
    if found.height >= _FEWEST_FOUND and n_wrong > found.height * _WRONG_ALLELES:
        clash = f"{n_wrong:,} of {found.height:,} SNPs found in {what} have other alleles there"
        if n_used < snps.height * _CHANCE:
            raise DataError(
                f"{clash} and only {n_used:,} of the model's {snps.height:,} can be used, as by "
                "chance between different assemblies; bring both to the same one."
            )
        notes.append(f"{clash}: the model and the data are probably in different assemblies.")
    if n_used < snps.height / 2:
        notes.append(f"Only {n_used:,} of the model's {snps.height:,} SNPs can be used in {what}.")
    return notes


def _nothing_used(
    snps: pl.DataFrame, target: pl.DataFrame, weights: WeightSet, *, what: str, notes: list[str]
) -> str:
    """Explain 0 % overlap by what the two sides look like."""
    ours = weights.weights.row(0, named=True)
    model = " = ".join(name for name in (ours["rsid"], ours["var_id"]) if name)
    if target.is_empty():
        return f"{what} has no variant, so none of the model's SNPs can be used; check the file."
    theirs = target.row(0, named=True)
    place = f"{theirs['chrom']}:{theirs['start'] + 1:,} " if theirs["start"] is not None else ""
    reasons = [note.rstrip(".") for note in notes]
    if snps["chrom"].null_count() == snps.height and target["start"].null_count() < target.height:
        reasons.append(_chromosome_reason(weights.weights["chrom"], target["chrom"]))
    if not target["id"].drop_nulls().str.contains(r"^rs\d").any():
        reasons.append(f"{what} has no rs numbers to match by")
    lost = snps.filter(pl.col("code") == _MISMATCH).height
    if lost:
        reasons.append(f"{lost:,} SNPs are there with other alleles")
    if unclear := snps.filter(pl.col("code") == _AMBIGUOUS).height:
        reasons.append(f"{unclear:,} are strand-ambiguous")
    why = f" ({'; '.join(filter(None, reasons))})" if any(reasons) else ""
    return (
        f"none of the model's {snps.height:,} SNPs can be used in {what}: the model names them "
        f"like {model} and {what} like {theirs['id'] or '.'} at "
        f"{place}{theirs['ref']}>{theirs['alt']}{why}; "
        "bring both to the same assembly and the same kind of IDs."
    )


def _chromosome_reason(ours: pl.Series, theirs: pl.Series) -> str:
    known = ours.drop_nulls().unique().sort()
    if known.is_empty():
        return "the model has no positions, only IDs"
    return (
        f"they share no chromosome: {few(known)} in the model, "
        f"{few(theirs.drop_nulls().unique().sort())} there"
    )
