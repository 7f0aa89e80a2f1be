"""cisgram predicts gene expression from DNA: across genes, people and variants."""

__version__ = "0.1.0"
