"""The one place where spellings of chromosome names are reconciled.

`chr1` and `1` are the same chromosome, and so are `chrM`, `M`, `MT` and
`Mito`. PLINK's numbers for the human X, Y and mitochondrion (23, 24, 26) are
understood where they cannot mean anything else. Nothing is guessed beyond
that: accessions such as `NC_000001.11` and padded numbers such as `chr01`
only equal themselves, and roman numerals stay roman.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from cisgram.core.checks import DataError, few

_PREFIXED = re.compile(r"chr(?!om)(.+)", re.IGNORECASE)
_MITOCHONDRION = {"m", "mt", "mito", "mtdna", "mitochondrion", "mitochondrion_genome"}
_PLINK = {"23": "X", "24": "Y", "26": "MT"}
_FROM_PLINK = {letter: number for number, letter in _PLINK.items()}
_LAST_HUMAN_AUTOSOME, _LAST_PLINK_CODE = 22, 26
_NOT_AUTOSOMES = ("X", "Y", "MT", "XY", "25", "PAR1", "PAR2")
_SEX_ACCESSIONS = ("NC_000023.", "NC_000024.", "NC_012920.", "NC_060947.", "NC_060948.")
"""RefSeq's X, Y and mitochondrion of GRCh37 and GRCh38, then X and Y of T2T-CHM13."""


@lru_cache(maxsize=1 << 16)
def canonical(name: str) -> str:
    """Return the name without `chr`, and `MT` for the mitochondrion.

    >>> canonical("chr1"), canonical("Chr2L"), canonical("chrM"), canonical("NC_000001.11")
    ('1', '2L', 'MT', 'NC_000001.11')
    """
    prefixed = _PREFIXED.fullmatch(name)
    bare = prefixed[1] if prefixed else name
    return "MT" if bare.lower() in _MITOCHONDRION else bare


def same_chromosome(a: str, b: str) -> bool:
    """Say whether two names are spellings of one chromosome.

    >>> same_chromosome("chrIV", "IV"), same_chromosome("chr4", "IV")
    (True, False)
    """
    return a == b or canonical(a) == canonical(b)


class ChromosomeNames:
    """The chromosomes of one file, found under any usual spelling.

    >>> names = ChromosomeNames(["chr1", "chrX", "chrM"])
    >>> names.resolve("1"), names.resolve("MT"), names.resolve("23"), names.resolve("chr01")
    ('chr1', 'chrM', 'chrX', None)
    """

    def __init__(self, known: Iterable[str]) -> None:
        """Remember the spellings in `known`, in their order."""
        self.known: tuple[str, ...] = tuple(dict.fromkeys(known))
        self._spellings: dict[str, str | None] = {}
        for name in self.known:
            key = canonical(name)
            self._spellings[key] = None if key in self._spellings else name
        self._exact = frozenset(self.known)
        numbers = [int(key) for key in self._spellings if key.isdecimal()]
        self._largest = max(numbers, default=0)

    def resolve(self, name: str) -> str | None:
        """Return the spelling of `name` among the known; None when none or several fit."""
        if name in self._exact:
            return name
        key = canonical(name)
        if key in self._spellings:
            return self._spellings[key]
        return self._spellings.get(self._human(key))

    def require(self, name: str, where: str) -> str:
        """Return the spelling of `name` among the known, those of `where`."""
        if (found := self.resolve(name)) is None:
            raise DataError(
                f"chromosome {name} is not in {where}, which has {few(self.known)}; "
                "use its names or another file."
            )
        return found

    @property
    def autosomes(self) -> tuple[str, ...]:
        """The known names but those of sex chromosomes and mitochondria, human ones by any name.

        >>> ChromosomeNames(["chr1", "chrX", "chrM"]).autosomes
        ('chr1',)
        """
        others = {canonical(self.resolve(name) or name) for name in _NOT_AUTOSOMES}
        return tuple(
            name
            for name in self.known
            if canonical(name) not in others and not name.startswith(_SEX_ACCESSIONS)
        )

    def _human(self, key: str) -> str:
        """Translate between PLINK's numbers and letters, for human chromosomes only."""
        if "I" in self._spellings:
            return key
        if key in _PLINK and self._largest <= _LAST_HUMAN_AUTOSOME:
            return _PLINK[key]
        if key in _FROM_PLINK and self._largest <= _LAST_PLINK_CODE:
            return _FROM_PLINK[key]
        return key
