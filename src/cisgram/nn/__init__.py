"""Blocks of networks, free of genomes: plain keywords in, channels last throughout."""
