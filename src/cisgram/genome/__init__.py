"""DNA as data: letters, intervals, references, genes, variants, genotypes, haplotypes."""
