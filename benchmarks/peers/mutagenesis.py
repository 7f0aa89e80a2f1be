"""Serve tangermeme's saturation mutagenesis to benchmarks/mutagenesis.py, in its own Python.

Reads one JSON request a line and answers each with one line; see `answer`. Networks are built from
plain torch layers and take one-hot bases (batch, 4, length), as tangermeme hands them over.
"""

import json
import sys
import time
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[1]))

from plain_shorkie import PlainTracks

peer = import_module("tangermeme.saturation_mutagenesis")
# By itself it is fast only for long jobs, and where a first trial of both ways says so.
peer._FAST_MIN_SECONDS, peer._FAST_MAX_RELATIVE_TIME = 0, float("inf")


class PlainCNN(nn.Module):
    """Dilated convolutions, their mean over the window, tracks."""

    def __init__(self, sizes: SimpleNamespace) -> None:
        super().__init__()
        n = sizes.channels
        self.first = nn.Conv1d(4, n, sizes.first_width, padding=sizes.first_width // 2)
        self.rest = nn.ModuleList(
            nn.Conv1d(n, n, sizes.width, padding=sizes.width // 2 * gap, dilation=gap)
            for gap in sizes.dilations
        )
        self.head = nn.Linear(n, sizes.n_tracks)

    def forward(self, bases: Tensor) -> Tensor:
        x = torch.relu(self.first(bases))
        for convolution in self.rest:
            x = x + torch.relu(convolution(x))
        return self.head(x.mean(dim=2))


class ShorkieOfBases(nn.Module):
    """The model of tracks for the first species, each track's mean over bins."""

    def __init__(self, sizes: SimpleNamespace) -> None:
        super().__init__()
        self.network = PlainTracks(sizes, sizes.n_tracks)
        species = torch.zeros(5 + sizes.n_species, 1)
        species[5] = 1
        self.register_buffer("species", species)

    def forward(self, bases: Tensor) -> Tensor:
        image = F.pad(bases, (0, 0, 0, len(self.species) - 4)) + self.species
        return self.network(image).mean(dim=1)


def load(request):
    """Build a network with the weights of a file, and a window."""
    sizes = SimpleNamespace(**request["sizes"])
    weights = torch.load(request["weights"])
    if request["network"] == "cnn":
        model = PlainCNN(sizes)
        with torch.no_grad():
            for own, given in zip(model.parameters(), weights.values(), strict=True):
                own.copy_(given.view_as(own))
    else:
        model = ShorkieOfBases(sizes)
        model.network.load_state_dict(weights)
    tokens = torch.from_numpy(np.load(request["tokens"])).long()
    return model.eval(), F.one_hot(tokens, 4).T[None].to(torch.int8)


def mutate(request, model, bases):
    """Mutate a region, and say how long it took and why it was not fast where it was not."""
    options = {name: request[name] for name in ("start", "end", "batch_size", "fast")}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", peer.TangermemeWarning)
        started = time.perf_counter()
        found = peer.saturation_mutagenesis(model, bases, raw_outputs=True, device="cpu", **options)
        seconds = time.perf_counter() - started
    if request["outputs"]:
        np.save(request["outputs"], found.y_hat[0].transpose(0, 1).numpy())
    refused = [str(w.message) for w in caught if "fast=False because" in str(w.message)]
    return {"seconds": seconds, "refused": refused[0] if refused else None}


def answer(request, state):
    """Set threads and load a network; or mutate a region of its window."""
    if request["do"] == "load":
        torch.set_num_threads(request["threads"])
        state["loaded"] = load(request)
        return {}
    return mutate(request, *state["loaded"])


if __name__ == "__main__":
    answers = sys.stdout
    sys.stdout = sys.stderr
    kept = {}
    names = ("tangermeme", "torch", "numpy")
    print(json.dumps({name: version(name) for name in names}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), kept)), file=answers, flush=True)
