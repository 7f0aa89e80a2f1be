"""Serve haplotype windows of genvarloader to benchmarks/haplotype_windows.py, in its own Python.

Reads one JSON request a line and answers each with one line; see `answer`.
"""

import hashlib
import json
import sys
import time
from importlib.metadata import version

import genvarloader as gvl
import numpy as np
import polars as pl
import seqpro


def prepare(request):
    """Write a data set of the windows and open it."""
    bed = pl.DataFrame(
        {
            "chrom": [request["chrom"]] * len(request["starts"]),
            "chromStart": request["starts"],
            "chromEnd": [start + request["length"] for start in request["starts"]],
        }
    )
    started = time.perf_counter()
    gvl.write(request["directory"], bed, variants=request["vcf"], overwrite=True)
    dataset = gvl.Dataset.open(request["directory"], reference=request["fasta"])
    dataset = dataset.with_seqs("haplotypes").with_len(request["length"])
    return dataset, time.perf_counter() - started


def letters(dataset, window, people):
    """Return characters (people, haplotypes, length) of one window, in fresh memory."""
    found = dataset[window] if people is None else dataset[window, people]
    return np.asarray(found).reshape(-1, 2, dataset.output_length)


def one_hot(characters):
    return seqpro.DNA.ohe(characters)


def answer(request, datasets):
    """Prepare a data set; or make windows, all of them `repeat` times, and say how long it took."""
    length = str(request["length"])
    if request["do"] == "prepare":
        datasets[length], seconds = prepare(request)
        return {"seconds": seconds, "people": list(datasets[length].samples)}
    dataset, people = datasets[length], request["people"]
    people = None if people is None else np.arange(people)
    make = (
        (lambda w: letters(dataset, w, people))
        if request["do"] == "letters"
        else (lambda w: one_hot(letters(dataset, w, people)))
    )
    seconds, digests = 0.0, []
    for window in request["windows"]:
        started = time.perf_counter()
        made = make(window)
        seconds += time.perf_counter() - started
        if request["digest"]:
            digests.append(hashlib.sha256(np.ascontiguousarray(made).view(np.uint8)).hexdigest())
        del made
    return {"seconds": seconds, "digests": digests}


if __name__ == "__main__":
    answers = sys.stdout
    sys.stdout = sys.stderr
    opened = {}
    names = ("genvarloader", "seqpro", "numpy")
    print(json.dumps({name: version(name) for name in names}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), opened)), file=answers, flush=True)
