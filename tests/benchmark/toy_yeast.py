"""A genome of three contigs with genes, planted sites and the files of the suite `yeast`."""

import gzip
from pathlib import Path

import numpy as np

from cisgram.genome.alphabet import decode, encode, reverse_complement

LENGTHS = {"chrI": 6_000, "chrII": 14_000, "chrIII": 6_000}
HELD_OUT = ("chrII", "chrIII")
SITES = {"REB1": "ATTACCCGA", "ABF1": "ACGTCACTAGTGAC", "RAP1": "ATGTATGGGTGT"}
"""Known sites at these distances from start codons, and again where nobody lists them."""
DISTANCES = {"REB1": 200, "ABF1": 240, "RAP1": 280}
TATA, BOX, GENE, STEP = "TATAAAAA", 100, 420, 1_000
EXONS = ((0, 60), (140, GENE))


def write_toy_yeast(place: Path) -> None:
    """Write toy.fa, toy.gff3 and the data."""
    for folder in ("tss", "motifs", "mpra", "variation"):
        (place / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    contigs = {name: rng.integers(0, 4, n, dtype=np.uint8) for name, n in LENGTHS.items()}
    gff, starts, bound, boxes = ["##gff-version 3"], ["gene\tTSS\tTSSType"], [], []
    for chrom, tokens in contigs.items():
        for number, first in enumerate(range(500, len(tokens) - STEP + 200, STEP)):
            gene, minus = f"{chrom}G{number}", number % 2 == 1
            body = rng.integers(0, 4, 500 + GENE, dtype=np.uint8)
            _plant(body, 500, "ATG")
            _plant(body, 500 - BOX - 60, TATA)
            for name, site in SITES.items():
                _plant(body, 500 - DISTANCES[name] - 200, site)
            # Every third gene has no site and no intron.
            exons = EXONS if number % 3 else ((0, GENE),)
            if number % 3:
                _plant(body, 500 + EXONS[0][1], "GTATGT")
                _plant(body, 500 + EXONS[1][0] - 20, "TACTAAC")
                _plant(body, 500 - BOX, TATA)
                for name, site in SITES.items():
                    _plant(body, 500 - DISTANCES[name], site)
            low = first - 500
            tokens[low : low + len(body)] = reverse_complement(body) if minus else body

            def locate(at: int, width: int, low: int = low, minus: bool = minus) -> int:
                """Return the leftmost of the bases from `at` on the gene's strand."""
                return low + (500 + GENE - at - width if minus else at)

            strand = "-" if minus else "+"
            start = locate(500, GENE) + 1
            gff.append(
                f"{chrom}\tx\tgene\t{start}\t{start + GENE - 1}\t.\t{strand}\t.\t"
                f"ID=gene:{gene};biotype=protein_coding"
            )
            gff.append(
                f"{chrom}\tx\tmRNA\t{start}\t{start + GENE - 1}\t.\t{strand}\t.\t"
                f"ID=transcript:{gene};Parent=gene:{gene};biotype=protein_coding"
            )
            for begin, end in exons:
                at = locate(500 + begin, end - begin) + 1
                place_of = f"{chrom}\tx\texon\t{at}\t{at + end - begin - 1}\t.\t{strand}\t."
                gff.append(f"{place_of}\tParent=transcript:{gene}")
            starts.append(f"{gene}\t{locate(470, 1) + 1}\t5UTR")
            if number % 3 == 0:
                continue
            at = locate(500 - BOX, len(TATA))
            boxes.append(f"{chrom}\t{at}\t{at + len(TATA)}\t{gene}\t0\t{strand}")
            for name, site in SITES.items():
                at = locate(500 - DISTANCES[name], len(site))
                # The published file has strands the other way round.
                bound.append(
                    f"{chrom[3:]}\tx\tx\t{at + 1}\t{at + len(site)}\t1\t"
                    f"{'+' if minus else '-'}\t.\tSite {name};"
                )
    fasta = "".join(f">{name}\n{decode(tokens)}\n" for name, tokens in contigs.items())
    (place / "toy.fa").write_text(fasta)
    (place / "toy.gff3").write_text("\n".join(gff) + "\n")
    (place / "tss" / "rhee2012-TATAboxes-cleaned.bed").write_text("\n".join(boxes) + "\n")
    _zip(place / "tss" / "albert_TSS_per_gene.tsv.gz", starts)
    _zip(place / "motifs" / "macisaac_conservedTFBS.gff.gz", bound)
    _write_motifs(place, rng)
    _write_alleles(place, contigs, rng)


def _plant(tokens: np.ndarray, at: int, letters: str) -> None:
    tokens[at : at + len(letters)] = encode(letters)


def _zip(path: Path, lines: list[str]) -> None:
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


def _write_motifs(place: Path, rng: np.random.Generator) -> None:
    others = {f"M{n}": decode(rng.integers(0, 4, 8, dtype=np.uint8)) for n in range(30)}
    jaspar: list[str] = []
    for number, (name, letters) in enumerate((SITES | others).items()):
        jaspar.append(f">MA{number}\t{name}")
        jaspar += [
            f"{base} [ {' '.join('20' if letter == base else '0' for letter in letters)} ]"
            for base in "ACGT"
        ]
    _zip(place / "motifs" / "JASPAR2026_CORE_fungi_latest.jaspar.gz", jaspar)
    meme = ["MEME version 4", ""]
    for name, letters in SITES.items():
        meme += [f"MOTIF {name}", f"letter-probability matrix: w= {len(letters)} nsites= 20"]
        meme += [" ".join("1" if x == base else "0" for base in "ACGT") for x in letters]
    (place / "motifs" / "macisaac_yeast.v1.meme").write_text("\n".join(meme) + "\n")


def _write_alleles(place: Path, contigs: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    fragments, haplotypes = ["proName\tQ_seq"], ["proName\tortho_seq\tnum_isolates"]
    effects = ["chr\tpos\tref\talt\tlogFC\tadj.P.Val\tpopulationFreq"]
    for chrom in HELD_OUT:
        for at in range(100, LENGTHS[chrom] - 100, 500):
            own, name = contigs[chrom][at : at + 80], f"{chrom}P{at}"
            fragments.append(f"{name}\t{decode(own)}")
            haplotypes.append(f"{name}\t{decode(own)}\t500")
            for _ in range(8):
                changed = own.copy()
                for where in rng.choice(80, rng.integers(1, 4), replace=False):
                    changed[where] = (changed[where] + rng.integers(1, 4)) % 4
                count = int(rng.choice([1, 2, 100]))
                haplotypes.append(f"{name}\t{decode(changed)}\t{count}")
                ref, alt = decode(own[:1]), decode((own[:1] + rng.integers(1, 4, 1, np.uint8)) % 4)
                numbers = f"{rng.normal():.3f}\t{rng.random():.3f}\t{rng.random():.3f}"
                effects.append(f"{chrom}\t{at + 1}\t{ref}\t{alt}\t{numbers}")
    _zip(place / "mpra" / "vaishnav_native_promoter_divergence.tsv.gz", fragments)
    _zip(place / "mpra" / "vaishnav_native_orthologous_promoters_1011.txt.gz", haplotypes)
    _zip(place / "variation" / "renganaath2020_MPRA_variant_effects.tsv.gz", effects)
