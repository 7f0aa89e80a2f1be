"""Numbers as a page carries them: quantised, in base64, within a few megabytes."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Float32, Float64, Int32, Int64, UInt8

from cisgram.core.metrics import pearson
from cisgram.report.data import ModelResults, ReportData

_BYTES = 4_300_000
"""What all embedded data may take together."""
_SCATTER_SHARE = 0.45
_BYTES_A_GENE, _BYTES_A_SCORE_ROW, _BYTES_A_WEIGHT, _BYTES_A_POINT = 60, 28, 40, 4 / 3
_PEOPLE_SHOWN = 400
_MOST_WEIGHTS = 150  # more than this on one locus cannot be told apart
_MISSING_BYTE = 255
_MISSING_SHORT = -32768
_LONGEST_ALLELE = 12
_MOST_POPULATIONS = 30
_LEAST_PEOPLE = 10  # fewer than this, and a correlation within a population says too little


@dataclass(frozen=True, kw_only=True)
class Detail:
    """Which genes are drawn person by person, for whom, and how many weights each."""

    genes: Int64[np.ndarray, "detailed"]
    people: Int64[np.ndarray, "shown"]
    most_weights: int
    """Weights drawn for one gene and model, the largest first."""


def choose_detail(data: ReportData) -> Detail:
    """Fit the detail into the page: strongest genes first, people sampled when too many.

    People who were held out are drawn in proportion to populations with a fixed seed.
    """
    n_models = len(data.models)
    listed = data.genes.height * (_BYTES_A_GENE + _BYTES_A_SCORE_ROW * n_models)
    left = max(_BYTES - listed, _BYTES // 5)
    n_points = int(left * _SCATTER_SHARE / _BYTES_A_POINT)
    people = np.flatnonzero(data.held_out)
    if data.genes.height * len(people) * (n_models + 1) > n_points and len(people) > _PEOPLE_SHOWN:
        people = people[_sample_people([data.populations[person] for person in people])]
    n_genes = min(data.genes.height, max(1, n_points // (len(people) * (n_models + 1))))
    strongest = np.nanmax(
        np.stack([np.nan_to_num(np.abs(m.column("pearson"))) for m in data.models]), axis=0
    )
    genes = np.sort(np.argsort(-strongest, kind="stable")[:n_genes])
    n_weights = int(left * (1 - _SCATTER_SHARE) / _BYTES_A_WEIGHT)
    return Detail(genes=genes, people=people, most_weights=_most_weights(data, genes, n_weights))


def pack(data: ReportData, detail: Detail) -> dict[str, Any]:
    """Return the page's data as JSON-ready values."""
    predicted = zip(data.populations, data.held_out, strict=True)
    names, codes = _codes([population if held_out else "" for population, held_out in predicted])
    variants, weights = _weights(data, detail)
    return {
        "people": len(data.people),
        "genes": _genes(data.genes),
        "models": [_scores(model) | {"id": model.config.model} for model in data.models],
        "populations": names,
        "population": _array(codes[detail.people]),
        "detail": _array(detail.genes.astype(np.int32)),
        "measured": _quantised(data.measured[np.ix_(detail.genes, detail.people)]),
        "predicted": [
            _quantised(model.predictions[np.ix_(detail.genes, detail.people)])
            for model in data.models
        ],
        "agreement": [_agreement(model, data, detail, names, codes) for model in data.models],
        "variants": variants,
        "weights": weights,
        "mostWeights": detail.most_weights,
    }


def _sample_people(populations: Sequence[str]) -> Int64[np.ndarray, "shown"]:
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(len(populations))
    # Ordered by population, every k-th person keeps the proportions.
    ordered = shuffled[np.argsort(np.array(populations)[shuffled], kind="stable")]
    return np.sort(ordered[np.linspace(0, len(ordered) - 1, _PEOPLE_SHOWN).astype(np.int64)])


def _most_weights(data: ReportData, genes: Int64[np.ndarray, "detailed"], budget: int) -> int:
    """Return the largest cap on weights a gene and model that keeps within `budget`."""
    wanted = data.genes["gene"][genes.tolist()].implode()
    counts = np.concatenate(
        [
            model.weights.filter(pl.col("gene").is_in(wanted)).group_by("gene").len()["len"]
            for model in data.models
        ]
    ).astype(np.int64)
    low, high = 1, min(_MOST_WEIGHTS, int(counts.max(initial=1)))
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(counts, middle).sum() <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def _codes(populations: Sequence[str]) -> tuple[list[str], UInt8[np.ndarray, "people"]]:
    """Number populations by size, largest first; unknown and the rarest share 255."""
    names, counts = np.unique([p for p in populations if p], return_counts=True)
    ordered = [str(names[i]) for i in np.argsort(-counts, kind="stable")][:_MOST_POPULATIONS]
    number = {name: code for code, name in enumerate(ordered)}
    codes = [number.get(population, _MISSING_BYTE) for population in populations]
    return ordered, np.array(codes, dtype=np.uint8)


def _genes(genes: pl.DataFrame) -> dict[str, Any]:
    chroms = list(dict.fromkeys(genes["chrom"].to_list()))
    return {
        "id": genes["gene"].to_list(),
        "name": [name or gene for gene, name in genes.select("gene", "name").iter_rows()],
        "chroms": chroms,
        "chrom": [chroms.index(chrom) for chrom in genes["chrom"]],
        "strand": "".join(genes["strand"].fill_null(".")),
        **{name: _array(genes[name].cast(pl.Int32).to_numpy()) for name in ("start", "end", "tss")},
    }


def _scores(model: ModelResults) -> dict[str, Any]:
    scores = model.scores
    p_value = np.clip(model.column("p_value"), 1e-300, 1)
    return {
        **{name: _short(model.column(name)) for name in ("pearson", "spearman")},
        "r2": _array(model.column("r2").astype(np.float32)),
        "logP": _array(-np.log10(p_value).astype(np.float32)),
        "snpsWindow": _array(scores["n_snps_window"].fill_null(-1).cast(pl.Int32).to_numpy()),
        "snpsModel": _array(scores["n_snps_model"].fill_null(-1).cast(pl.Int32).to_numpy()),
        "accepted": _array(scores["accepted"].cast(pl.UInt8).fill_null(_MISSING_BYTE).to_numpy()),
    }


def _agreement(
    model: ModelResults,
    data: ReportData,
    detail: Detail,
    names: Sequence[str],
    codes: UInt8[np.ndarray, "people"],
) -> dict[str, Any]:
    """Correlate over everyone, not only the people drawn: pooled, and within populations."""
    measured, predicted = data.measured[detail.genes], model.predictions[detail.genes]
    within = [codes == code for code in range(len(names))]
    return {
        "n": _array(_n_both(predicted, measured)),
        "pooled": _short(_correlation(predicted, measured)),
        "within": [_short(_correlation(predicted[:, p], measured[:, p])) for p in within],
        "nWithin": [_array(_n_both(predicted[:, p], measured[:, p])) for p in within],
    }


def _correlation(
    predicted: Float32[np.ndarray, "genes people"], measured: Float32[np.ndarray, "genes people"]
) -> Float64[np.ndarray, "genes"]:
    enough = _n_both(predicted, measured) >= _LEAST_PEOPLE
    return np.where(enough, pearson(predicted, measured), np.nan)


def _n_both(
    predicted: Float32[np.ndarray, "genes people"], measured: Float32[np.ndarray, "genes people"]
) -> Int32[np.ndarray, "genes"]:
    return (~(np.isnan(predicted) | np.isnan(measured))).sum(axis=1, dtype=np.int32)


def _weights(data: ReportData, detail: Detail) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the variants drawn, once each, and each model's weights by gene."""
    wanted = data.genes["gene"][detail.genes.tolist()]
    parts = [_largest_weights(model.weights, wanted, detail.most_weights) for model in data.models]
    place = ["chrom", "start", "ref", "alt"]
    variants = (
        pl.concat([part.select(*place, "id", "frequency") for part in parts])
        .unique(place, keep="first", maintain_order=True)
        .sort("chrom", "start")
        .with_row_index("variant")
    )
    packed: list[dict[str, Any]] = []
    for part in parts:
        rows = part.join(variants.select(*place, "variant"), on=place, maintain_order="left")
        counts = (
            wanted.to_frame()
            .join(rows.group_by("gene").len(), on="gene", how="left", maintain_order="left")["len"]
            .fill_null(0)
        )
        packed.append(
            {
                "first": _array(np.concatenate([[0], counts.cum_sum()]).astype(np.int32)),
                "variant": _array(rows["variant"].cast(pl.Int32).to_numpy()),
                "value": _array(rows["weight"].cast(pl.Float32).to_numpy()),
            }
        )
    return {
        "start": _array(variants["start"].cast(pl.Int32).to_numpy()),
        "id": variants["id"].fill_null("").to_list(),
        "ref": [_allele(allele) for allele in variants["ref"]],
        "alt": [_allele(allele) for allele in variants["alt"]],
        "frequency": _short(variants["frequency"].cast(pl.Float64).to_numpy()),
    }, packed


def _largest_weights(weights: pl.DataFrame, wanted: pl.Series, most: int) -> pl.DataFrame:
    """Keep each wanted gene's largest weights, in the order of `wanted`, then along the locus."""
    order = wanted.to_frame().with_row_index("row")
    return (
        order.join(weights, on="gene")
        .filter(pl.col("weight").abs().rank("ordinal", descending=True).over("gene") <= most)
        .sort("row", "start", "ref", "alt")
    )


def _allele(allele: str) -> str:
    if len(allele) <= _LONGEST_ALLELE:
        return allele
    return f"{allele[: _LONGEST_ALLELE - 4]}… ({len(allele):,} bp)"


def _quantised(values: Float32[np.ndarray, "genes people"]) -> dict[str, Any]:
    """Write each gene's values in 255 steps between its least and its greatest."""
    present = ~np.isnan(values)
    low = np.where(present, values, np.inf).min(axis=1)
    high = np.where(present, values, -np.inf).max(axis=1)
    low, high = np.where(np.isfinite(low), low, 0), np.where(np.isfinite(high), high, 0)
    step = np.maximum((high - low) / (_MISSING_BYTE - 1), 1e-12)
    codes = np.rint((np.nan_to_num(values) - low[:, None]) / step[:, None])
    codes = np.where(present, np.clip(codes, 0, _MISSING_BYTE - 1), _MISSING_BYTE)
    return {
        "low": _array(low.astype(np.float32)),
        "high": _array(high.astype(np.float32)),
        "codes": _array(codes.astype(np.uint8)),
    }


def _short(values: Float[np.ndarray, "n"]) -> dict[str, str]:
    """Write correlations and frequencies, -1 to 1, in steps of 0.0001."""
    steps = np.where(np.isnan(values), _MISSING_SHORT, np.rint(values * 1e4))
    return _array(steps.astype(np.int16))


def _array(values: np.ndarray) -> dict[str, str]:
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    kind = little.dtype.kind + str(8 * little.dtype.itemsize)
    return {"type": kind, "base64": base64.b64encode(little.tobytes()).decode("ascii")}
