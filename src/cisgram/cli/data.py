"""`cisgram data`: named public data sets, and vocabularies learnt from genomes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from cisgram.cli.claims import Overwrite
from cisgram.cli.options import save_json, say, show_table

if TYPE_CHECKING:
    from cisgram.data.registry import Dataset

app = App(name="data", help="List, fetch and show public data sets; learn vocabularies of DNA.")


@app.command(name="list")
def list_datasets(*, json: Path | None = None, overwrite: Overwrite = False) -> None:
    """List the data sets, what each is, and how much of it is here.

    Args:
        json: Also write the list to this file.
    """
    from cisgram.data import registry

    described = [_describe(dataset) for dataset in registry.list_datasets()]
    rows: list[tuple[str, ...]] = []
    for one in described:
        here = sum(file["here"] for file in one["files"])
        rows.append((one["name"], one["title"], one["assembly"], f"{here} of {len(one['files'])}"))
    show_table(("name", "what", "assembly", "files here"), rows)
    save_json(json, described)


@app.command
def show(name: str, /, *, json: Path | None = None, overwrite: Overwrite = False) -> None:
    """Show a data set: source, licence, citation, and each file's checksum and place.

    Args:
        name: A data set of `cisgram data list`.
        json: Also write it to this file.
    """
    from cisgram.data.registry import find_dataset

    described = _describe(find_dataset(name))
    facts = ("name", "title", "use", "assembly", "licence", "citation", "homepage")
    lines = [f"{key:<10}{described[key]}" for key in facts]
    for file in described["files"]:
        checksum = file["checksum"] or "none published, recorded at the first fetch"
        state = "here" if file["here"] else "not here"
        size = f"{file['size']:,} bytes" if file["size"] else "size unknown"
        lines += [f"\n{file['name']} ({state}; {size})", f"  checksum  {checksum}"]
        lines += [f"  place     {file['path']}", *(f"  source    {url}" for url in file["urls"])]
    say(*lines, wrap=False)
    save_json(json, described)


@app.command
def fetch(
    name: str,
    /,
    *,
    parts: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    directory: Path | None = None,
    json: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Bring a data set to this machine, or check the copy that is here.

    An interrupted download goes on where it stopped when the command is run again.

    Args:
        name: A data set of `cisgram data list`.
        parts: Chromosomes to fetch, such as `--parts 21 22`; all by default.
        directory: Where to; by default $CISGRAM_DATA or the user's data directory.
        json: Also write the places and checksums to this file.
    """
    from cisgram.data import registry

    paths = registry.fetch(name, directory=directory, parts=parts)
    published = {file.name: file.checksum for file in registry.find_dataset(name).files}
    fetched = [
        {
            "path": path,
            "published_checksum": published[path.name],
            "recorded_checksum": registry.recorded_checksum(path),
        }
        for path in paths
    ]
    for one in fetched:
        recorded = not one["published_checksum"] and one["recorded_checksum"]
        note = f"  (no published checksum; held to {recorded} from now on)" if recorded else ""
        say(f"{one['path']}{note}", wrap=False)
    save_json(json, fetched)


@app.command
def vocabulary(
    genome: str,
    /,
    *,
    out: Path,
    size: int = 4_096,
    contigs: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    overwrite: Overwrite = False,
) -> None:
    """Learn a vocabulary of byte pairs (BPE) from both strands of a genome.

    A recipe names the file: `tokenizer = { kind = "bpe", file = "bpe.json" }` in `[model]`.

    Args:
        genome: FASTA, or packaged genome such as yeast-r64.
        out: Vocabulary to write, .json.
        size: Number of tokens, single bases and special tokens included.
        contigs: Contigs to learn from, such as those that no evaluation holds out; all by default.
            Several --contigs may be given.
    """
    from cisgram.core.checks import check_extra, check_suffix
    from cisgram.data.tokenizer import save_tokenizer, train_bpe
    from cisgram.genome.alphabet import reverse_complement
    from cisgram.genome.reference import open_reference

    check_extra("tokenizers", "lm")
    check_suffix(out, ".json")
    reference = open_reference(genome)
    strands = (
        strand
        for tokens in [reference.contig(name) for name in contigs or reference.contigs]
        for strand in (tokens, reverse_complement(tokens))
    )
    learned = train_bpe(strands, vocabulary_size=size)
    save_tokenizer(out, learned)
    longest = max(len("".join(merge.split(" "))) for merge in learned.config.merges)
    say(f"{learned.vocabulary_size:,} tokens of up to {longest} bases are in {out}", wrap=False)


def _describe(dataset: "Dataset") -> dict[str, Any]:
    """Return a data set as plain data, with where each file is or would be."""
    from dataclasses import asdict

    from cisgram.data.registry import local_path

    described = asdict(dataset)
    for file, plain in zip(dataset.files, described["files"], strict=True):
        path = local_path(file, dataset)
        plain |= {"path": str(path), "here": path.is_file()}
    return described
