"""Rewrite manifests of models of format 1 as format 2; weights are not touched.

    python scripts/upgrade_models.py MODEL ...

Format 1 kept outputs on the card (`columns`, `scaling`, `units`) and their number among the sizes
of the network; format 2 has `outputs`, made by the data set. A MODEL is a directory with
manifest.json and weights.safetensors.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from cisgram.core.artifact import read_json, write_json
from cisgram.core.config import from_plain, to_plain
from cisgram.data.outputs import Outputs, Scale
from cisgram.models.hub import VERSION
from cisgram.models.registry import model_config

KINDS = {"shorkie-lm": "shorkie", "dilated-lm": "dilated", "bert-lm": "bert"}
LM_SIZES = ("shorkie-lm", "dilated-lm", "bert-lm")


def upgraded(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a model in format 2."""
    kind, config = metadata["model"], dict(metadata["config"])
    card = dict(metadata["card"])
    columns, scaling = card.pop("columns", None), card.pop("scaling", None)
    units = card.pop("units", {})
    if kind == "ensemble":
        scalings = scaling if isinstance(scaling, list) else [scaling] * len(config["members"])
        members = [
            _single("shorkie", own, columns, scale, units)
            for own, scale in zip(config["members"], scalings, strict=True)
        ]
        outputs = members[0]["outputs"] | {"scale": None, "activation": "none"}
        config = {"members": [{**own, "kind": own.pop("model")} for own in members]}
        return {"model": kind, "config": config, "outputs": outputs, "card": card}
    return {**_single(kind, config, columns, scaling, units), "card": card}


def _single(
    kind: str,
    config: dict[str, Any],
    columns: dict[str, Any] | None,
    scaling: dict[str, Any] | None,
    units: dict[str, str],
) -> dict[str, Any]:
    n_tracks, n_values = config.pop("n_tracks", None), config.pop("n_values", 0)
    pooled = config.pop("pooled", None)
    new = KINDS.get(kind, kind)
    geometry = model_config(new, config, "the model").geometry
    if kind in LM_SIZES:
        return {"model": new, "config": config, "outputs": to_plain(Outputs.of_bases())}
    if columns is None:
        names = tuple(f"track{number}" for number in range(n_tracks or 0))
        columns = {"tracks": names, "values": [f"value{n}" for n in range(n_values)]}
    scale = None
    if scaling is not None:
        scale = Scale(
            power=scaling["power"],
            track_means=tuple(scaling["tracks"][name] for name in columns["tracks"]),
            gene_moments=tuple(tuple(scaling["values"][name]) for name in columns["values"]),
        )
    per_window = pooled is True
    row = "window" if per_window else "base" if geometry.resolution == 1 else "bin"
    outputs = Outputs(
        row=row,
        names=tuple(columns["tracks"]),
        gene_targets=tuple(columns["values"]),
        upstream=tuple(columns.get("upstream", ())),
        resolution=1 if per_window else geometry.resolution,
        margin=0 if per_window else geometry.margin,
        activation="none" if kind == "dilated-cnn" else "softplus",
        scale=scale,
        units=units,
        both_strands=scale is not None,
    )
    return {"model": new, "config": config, "outputs": to_plain(outputs)}


def main() -> None:
    """Rewrite the manifests of models named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    for path in parser.parse_args().models:
        manifest = read_json(path / "manifest.json")
        if manifest["kind"] != "model" or manifest["version"] != 1:
            print(f"{path}: no model of format 1; left as it is")
            continue
        manifest |= {"version": VERSION, "metadata": upgraded(manifest["metadata"])}
        from_plain(Outputs, json.loads(json.dumps(manifest["metadata"]["outputs"])), str(path))
        write_json(path / "manifest.json", manifest)
        print(f"{path}: rewritten")


if __name__ == "__main__":
    main()
