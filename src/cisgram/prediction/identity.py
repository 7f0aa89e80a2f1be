"""What predictions depend on, so that unfinished work goes on only where it is the same work."""

from cisgram import __version__
from cisgram.core.artifact import MANIFEST, sha256
from cisgram.prediction.feature_cache import model_hash
from cisgram.prediction.session import Session


def session_identity(session: Session) -> dict[str, str | int]:
    """Return version, digest of the model, and species, for a journal."""
    return {
        "cisgram": __version__,
        "model": model_hash(session.model),
        "species": session.species,
    }


def genome_identity(session: Session) -> dict[str, str]:
    """Return the digest of the session's genome: its manifest names that of every file."""
    return {"genome": sha256(session.reference.path / MANIFEST)}
