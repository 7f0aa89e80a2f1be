"""Which readouts a model has, by name."""

from cisgram.core.checks import ConfigError
from cisgram.prediction.language import EmbeddingDistance, MaskedLogRatio, PseudoLikelihood
from cisgram.prediction.readouts import Readout, output_readouts
from cisgram.prediction.session import Session


def readout_names(session: Session) -> tuple[str, ...]:
    """Return the names of the readouts that have a meaning for a model, the usual one first."""
    if session.outputs.are_bases:
        return (MaskedLogRatio.name, PseudoLikelihood.name, EmbeddingDistance.name)
    return (*output_readouts(session.outputs), EmbeddingDistance.name)


def choose_readout(session: Session, readout: Readout | str | None = None) -> Readout:
    """Return a readout by its name; the usual one of the model where none is named.

    That is `gene` for models of tracks where genes are known, `outputs` for models of windows, and
    `masked` for language models.

    Raises:
        ConfigError: the model has no such readout.
    """
    if isinstance(readout, Readout):
        return readout
    names = readout_names(session)
    if readout is None:
        readout = names[1] if names[0] == "gene" and not session.has_genes else names[0]
    if readout not in names:
        raise ConfigError(
            f"{session.name} predicts nothing of genes; use a model of tracks and genes, or the "
            f"readout {names[0]}."
            if readout == "gene"
            else f"readout must be one of {', '.join(names)} for {session.name}; got {readout!r}."
        )
    of_bases = {own.name: own for own in (EmbeddingDistance, MaskedLogRatio, PseudoLikelihood)}
    if readout in of_bases:
        return of_bases[readout]()
    return output_readouts(session.outputs)[readout](session.outputs)
