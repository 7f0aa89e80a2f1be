"""Artifacts that a test changes on purpose, made to look as if they had been written so."""

import json
from pathlib import Path
from typing import Any

from cisgram.core.artifact import MANIFEST, read_manifest, sealed, sha256


def reseal(path: Path, *without: str, **metadata: Any) -> None:
    """Note the files of an artifact as they are now, with facts changed or left out."""
    facts = vars(read_manifest(path))
    facts["metadata"] |= metadata
    for name in without:
        del facts["metadata"][name]
    for name in facts["files"]:
        file = path / name
        facts["files"][name] = {"bytes": file.stat().st_size, "sha256": sha256(file)}
    (path / MANIFEST).write_text(json.dumps(sealed(facts)))
