"""Tables of what a language model knows of regulation for the docs, from lm_motifs.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from markdown_tables import NOT_MEASURED, Result, Table, markdown, rounded

from cisgram.report.words import commas

MODEL, FLANKS, MARKOV, RANDOM = "model", "two-sided k-mer", "Markov", "random weights"
SOURCES = (MODEL, FLANKS, MARKOV, RANDOM)
SEQUENCE = "sequence alone"
HEAD = {MODEL: "language model"}
SHOWN_PATTERNS = 20


def _interval(values: Sequence[float | None] | None, digits: int = 3) -> str:
    """Write a number and its 95 % interval."""
    if values is None or values[0] is None:
        return ""
    value, low, high = (("more" if v is None else f"{v:.{digits}f}") for v in values)
    return f"{value} ({low} to {high})"


def _times(values: Sequence[float | None] | None) -> str:
    """Write a ratio that may be infinite, and its interval."""
    if values is None or (values[0] is None and values[1] is None):
        return ""
    value, low, high = ("∞" if v is None else rounded(v) for v in values)
    return f"{value} ({low} to {high})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _sources(element: Mapping[str, Any], *, more: Sequence[str] = ()) -> list[str]:
    return [name for name in (*SOURCES, *more) if name in element["sources"]]


def setup(result: Result) -> str:
    """Say what was measured on what."""
    model, protocol = result["model"], result["protocol"]
    steps = f", {commas(model['steps'])} steps" if model.get("steps") else ""
    perplexities = ", ".join(
        f"{HEAD.get(name, name)} {value:.3f}" for name, value in result["perplexity"].items()
    )
    return (
        f"`{model['kind']}`, {commas(model['n_parameters'])} parameters, windows of "
        f"{commas(model['window'])} bases{steps} (weights {model['weights']}). "
        f"{', '.join(protocol['chromosomes'])}: {commas(protocol['bases'])} bases, "
        f"{commas(protocol['genes'])} protein-coding genes, {commas(protocol['introns'])} introns; "
        f"{commas(protocol['bases_copied'])} bases in words of 24 that chrI to X hold too are left "
        f"out throughout. Random weights and shuffled DNA were read on "
        f"{', '.join(protocol['null_chromosomes'])}. Perplexity of what is left: {perplexities}."
    )


def _areas(result: Result, background: str) -> str:
    rows = []
    for element in result["elements"]:
        cells = [element["name"], commas(element["n_known"])]
        for source in SOURCES:
            found = element["sources"].get(source, {}).get("odds", {}).get("auroc", {})
            cells.append(_interval(found.get(background)))
        rows.append(cells)
    names = [HEAD.get(source, source) for source in SOURCES]
    empty = [i for i in range(2, len(SOURCES) + 2) if not any(row[i] for row in rows)]
    head = ["site", "known", *names]
    keep = [i for i in range(len(head)) if i not in empty]
    return markdown([head[i] for i in keep], [[row[i] for i in keep] for row in rows])


def distance(result: Result) -> str:
    """AUROC of known sites over positions at the same distance."""
    return _areas(result, "same distance")


def sequence(result: Result) -> str:
    """AUROC of known sites over the same sequence elsewhere."""
    return _areas(result, "same sequence")


def shuffled(result: Result) -> str:
    """AUROC of known sites over shuffled sequence."""
    return _areas(result, "shuffled")


def information(result: Result) -> str:
    """Mean information and log-odds at sites and at backgrounds."""
    rows = []
    for element in result["elements"]:
        for source in (MODEL, FLANKS, RANDOM):
            if source not in element["sources"]:
                continue
            cells = [element["name"], HEAD.get(source, source)]
            for statistic in ("information", "odds"):
                found = element["sources"][source][statistic]
                means = [
                    found["sites"],
                    *(found["background"].get(name) for name in ("same distance", "same sequence")),
                ]
                cells += ["" if mean is None else f"{mean:.2f}" for mean in means]
            rows.append(cells)
    head = ["site", "predictions of", "bits a base, sites", "same distance", "same sequence",
            "log₂ odds, sites", "same distance", "same sequence"]  # fmt: skip
    return markdown(head, rows, text=2)


def calls(result: Result) -> str:
    """The best-scoring places, as many as sites are known."""
    rows = []
    for element in result["elements"]:
        for source in _sources(element, more=[SEQUENCE]):
            found = element["sources"][source]["calls"]
            if not found:
                continue
            rows.append(
                [
                    element["name"],
                    HEAD.get(source, source),
                    commas(found["n"]),
                    _percent(found["share_known"][0]),
                    _percent(found["chance_share_known"]),
                    _times(found["enrichment"]),
                    commas(round(found["median_distance"])),
                    commas(round(found["chance_median_distance"])),
                ]
            )
    head = ["site", "scored by", "calls", "known sites", "by chance", "ratio",
            "bases to a known site, median", "by chance"]  # fmt: skip
    return markdown(head, rows, text=2)


def in_shuffled(result: Result) -> str:
    """Places that score like the calls, in real and shuffled DNA."""
    rows = [
        [
            element["name"],
            HEAD.get(source, source),
            commas(found["n"]),
            commas(found["n_shuffled"]),
            _times(found["enrichment"]),
        ]
        for element in result["elements"]
        for source, found in element["in_shuffled"].items()
    ]
    head = ["site", "predictions of", "places in real DNA", "in shuffled DNA", "ratio"]
    return markdown(head, rows, text=2)


def stretches(result: Result) -> str:
    """How dense stretches of high information are."""
    found = result["patterns"][MODEL]
    return (
        f"{commas(found['n_stretches'])} stretches in {commas(found['n_bases'])} searched bases "
        f"of {found['threshold_bits']:.2f} bits a base or more above the model's mean prediction; "
        f"{commas(found['n_stretches_shuffled'])} in {commas(found['n_bases_shuffled'])} shuffled "
        f"ones, a ratio of {_times(found['density_over_shuffled'])}. They gather into "
        f"{len(found['patterns'])} patterns."
    )


def patterns(result: Result) -> str:
    """The patterns found de novo."""
    rows = []
    for pattern in result["patterns"][MODEL]["patterns"][:SHOWN_PATTERNS]:
        matches = [f"{m['name']} ({m['p_value']:.0e})" for m in pattern["jaspar"][:2]]
        placed = [
            f"{site['element']}: {site['n_near']} of {site['n_inside']} "
            f"({_times(site['enrichment'])})"
            for site in pattern["known_sites"]
            if site["n_near"] >= 3 and site.get("enrichment") and (site["enrichment"][1] or 0) > 1
        ]
        rows.append(
            [
                f"`{pattern['consensus']}`",
                ", ".join(matches) or "none",
                "; ".join(placed) or "none",
                commas(pattern["n"]),
                commas(pattern["n_shuffled"]),
                f"{pattern['bits']:.1f}",
            ]
        )
    head = ["pattern", "JASPAR (p)", "on known sites (times chance)", "stretches",
            "in shuffled DNA", "bits"]  # fmt: skip
    return markdown(head, rows, text=3) if rows else NOT_MEASURED


def logos(result: Result) -> str:
    """The promoters whose predictions are in the JSON."""
    rows = [
        [
            f"{logo['name']} ({logo['gene']})",
            logo["chosen_for"],
            f"{logo['chrom']}:{commas(logo['start'] + 1)}-{commas(logo['end'])}",
            ", ".join(f"{site['element']} {site['start'] - logo['start_codon']:+d}"
                      for site in logo["known"]),
        ]
        for logo in result["logos"]
    ]  # fmt: skip
    return markdown(["gene", "most", "place", "known sites, from the start codon"], rows, text=4)


def alleles(result: Result) -> str:
    """Say which alleles were used."""
    account = result["zero_shot"]["account"]
    return (
        f"Of {commas(account['haplotypes'])} haplotypes of {commas(account['promoters'])} promoter "
        f"fragments, {commas(account['promoters_placed_once'])} fragments have one place in R64 "
        f"and {commas(account['promoters_held_out'])} of these lie on the held-out chromosomes, "
        f"with {commas(account['haplotypes_held_out'])} haplotypes; "
        f"{commas(account['haplotypes_by_substitution'])} differ from R64 by at most eight "
        f"substitutions, {commas(account['haplotypes_not_reference'])} of them by one or more, at "
        f"{commas(account['substitutions'])} substitutions in all."
    )


def haplotypes(result: Result) -> str:
    """Likelihood ratio against the number of isolates."""
    found = result["zero_shot"]["haplotypes"]["sources"]
    sites = result["zero_shot"]["sites"]["sources"]
    rows = [
        [
            HEAD.get(name, name),
            _interval(found.get(name, {}).get("within")),
            _interval(sites.get(name, {}).get("within")),
            _interval(sites.get(name, {}).get("pooled")),
            _interval(sites.get(name, {}).get("common_over_rare")),
        ]
        for name in dict.fromkeys((*found, *sites))
    ]
    head = ["score", "haplotypes, within promoters", "substitutions, within promoters",
            "substitutions, all", "common over rare, AUROC"]  # fmt: skip
    return markdown(head, rows)


def masking(result: Result) -> str:
    """Ways of hiding a site."""
    found = result["zero_shot"]["masking"]
    names = {MODEL: "hidden and flagged", "zero": "bases only zeroed", "none": "not hidden"}
    rows = [
        [
            names[name],
            _interval(source["within"]),
            "" if name == MODEL else _interval(source["model_minus"]),
            _interval(source["pooled"]),
            _interval(source["common_over_rare"]),
            _percent(source["share_reference_likelier"]),
        ]
        for name, source in found["sources"].items()
    ]
    head = ["site", "within promoters", "flagged minus this", "all", "common over rare, AUROC",
            "R64's base likelier"]  # fmt: skip
    whole = found["pseudo_log_likelihood"]
    return (
        f"{commas(found['n_sites'])} substitutions, one hidden at a time.\n\n"
        + markdown(head, rows)
        + f"\n\nOver {commas(whole['n'])} haplotypes of two to four substitutions the likelihood "
        f"of the whole haplotype and the sum of its substitutions' ratios have a Spearman "
        f"correlation of {whole['correlation_with_marginals']:.3f}; with the number of isolates "
        f"the first has {_interval(whole['whole'])}, the second {_interval(whole['marginals'])}."
    )


def variants(result: Result) -> str:
    """Variants measured in a reporter assay."""
    found = result["zero_shot"]["measured_variants"]
    rows = [
        [
            HEAD.get(name, name),
            _interval(source["frequency"]),
            _interval(source["size_with_effect"]),
            _interval(source["size_finds_significant"]),
        ]
        for name, source in found["sources"].items()
    ]
    head = ["score", "with frequency", "size with size of effect", "size finds significant, AUROC"]
    return (
        f"{commas(found['n'])} substitutions, {commas(found['n_significant'])} with a significant "
        "effect.\n\n" + markdown(head, rows)
    )


def machine(result: Result) -> str:
    """Where it was measured."""
    where = result["machine"]
    return f"Measured on {where['cpu']} ({where['device']}), Python {where['python']}."


TABLES = {
    "lm_motifs": {
        "setup": Table(setup, ("model", "protocol")),
        "distance": Table(distance, ("elements",)),
        "sequence": Table(sequence, ("elements",)),
        "shuffled": Table(shuffled, ("elements",)),
        "information": Table(information, ("elements",)),
        "calls": Table(calls, ("elements",)),
        "in_shuffled": Table(in_shuffled, ("elements",)),
        "stretches": Table(stretches, ("patterns/model",)),
        "patterns": Table(patterns, ("patterns/model",)),
        "logos": Table(logos, ("logos",)),
        "alleles": Table(alleles, ("zero_shot/account",)),
        "haplotypes": Table(haplotypes, ("zero_shot/haplotypes",)),
        "masking": Table(masking, ("zero_shot/masking",)),
        "variants": Table(variants, ("zero_shot/measured_variants",)),
        "machine": Table(machine, ("machine",)),
    }
}
