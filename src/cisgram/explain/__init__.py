"""Why models say what they say: motifs in their predictions and where these stand."""
