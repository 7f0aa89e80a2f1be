"""Inputs that can be read once, such as `<(zcat calls.vcf.gz)`.

Most readers read a file twice or from the middle, so a pipe is kept in one.
"""

import shutil
import zlib
from pathlib import Path

_HEAD = 1 << 16
_GZIP = b"\x1f\x8b"
_KINDS = (
    (b"##fileformat=VCF", ".vcf"),
    (b"BCF", ".bcf"),
    (b">", ".fa"),
    (b"SQLite format 3", ".db"),
    (b"PAR1", ".parquet"),
    (b"\x26\xfc\x8f\x88", ".bw"),
    (b"PK", ".npz"),
    (b"#1.", ".gct"),
    (b"#chr", ".bed"),
    (b"#Chr", ".bed"),
)
"""How files begin, unpacked, and the ends of names that their readers look at."""


def is_pipe(path: Path | str) -> bool:
    """Say whether there is a pipe at a path."""
    try:
        return Path(path).is_fifo()
    except (OSError, ValueError):  # a long word, or one that no path can be
        return False


def spool(pipe: Path | str, directory: Path) -> Path:
    r"""Write what a pipe gives to a file in `directory`, whose name ends as its content says.

    >>> import os, tempfile, threading
    >>> with tempfile.TemporaryDirectory() as place:
    ...     os.mkfifo(f"{place}/p")
    ...     write = threading.Thread(target=Path(f"{place}/p").write_text, args=(">c\nACGT\n",))
    ...     write.start()
    ...     file = spool(f"{place}/p", Path(place))
    ...     file.name, file.read_text()
    ('p.fa', '>c\nACGT\n')
    """
    partial = directory / f"{Path(pipe).name}.spooled"
    with Path(pipe).open("rb") as source, partial.open("wb") as stream:
        shutil.copyfileobj(source, stream, 1 << 20)
    with partial.open("rb") as stream:
        head = stream.read(_HEAD)
    packed = ".gz" if head.startswith(_GZIP) else ""
    if packed:
        try:
            head = zlib.decompressobj(wbits=31).decompress(head)
        except zlib.error:
            head = b""  # the reader says that it is damaged
    ending = next((ending for start, ending in _KINDS if head.startswith(start)), ".tsv")
    return partial.rename(
        directory / f"{Path(pipe).name}{ending}{'' if ending == '.bcf' else packed}"
    )
