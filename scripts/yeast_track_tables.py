"""Tables of the checks of yeast's tracks for the docs, from yeast_tracks.json."""

from markdown_tables import Result, Table, markdown, rounded

from cisgram.report.words import commas


def tracks(result: Result) -> str:
    """A row a track: totals, and shares on the strand of genes and on the other."""
    head = (
        "track",
        "total on +",
        "total on -",
        "bases with signal",
        "promoters: own, other, expected",
        "genes: own, other, expected",
        "genes with more on their own strand",
    )
    rows = [
        [
            f"`{name}`",
            *(commas(round(row["total"][word])) for word in ("plus", "minus")),
            commas(row["n_bases"]),
            *(
                ", ".join(f"{row[place][share]:.1%}" for share in ("own", "other", "expected"))
                for place in ("promoters", "bodies")
            ),
            f"{row['own_higher']:.1%} of {commas(row['n_alone'])}",
        ]
        for name, row in result["tracks"].items()
    ]
    return markdown(head, rows)


def genes(result: Result) -> str:
    """A row a gene whose answer to a condition is known."""
    places = (
        ("tif_ypd", "body"),
        ("tif_gal", "body"),
        ("tss_ypd", "promoter"),
        ("tss_diamide", "promoter"),
    )
    rows = [
        [name]
        + [rounded(result["tracks"][track]["genes"][name][place]) for track, place in places]
        + [f"{change[condition]:+.1f}" for condition in ("galactose", "diamide")]
        for name, change in result["changes"].items()
    ]
    head = [f"`{track}`, {place}" for track, place in places]
    return markdown(["gene", *head, "log2, galactose", "log2, diamide"], rows)


def positions(result: Result) -> str:
    """A row an assay: the letters about its ends."""
    facts = result["positions"]
    head = ("assay", "first base A or G", "C or T before", "last base A", "A after")
    keys = ("purine", "pyrimidine_before", "last_a", "a_after_last")
    rows = [
        [assay] + [f"{facts[key]:.1%}" if (key := f"{name}_{k}") in facts else "" for k in keys]
        for name, assay in (("tss", "STRIPE-seq"), ("tif", "TIF-seq"))
    ]
    return markdown(head, rows)


TABLES = {
    "yeast_tracks": {
        "tracks": Table(tracks, ("tracks",)),
        "genes": Table(genes, ("tracks", "changes")),
        "positions": Table(positions, ("positions",)),
    },
}
