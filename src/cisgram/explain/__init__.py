"""Why models say what they say: motifs in their predictions, and what mutations do to them."""
