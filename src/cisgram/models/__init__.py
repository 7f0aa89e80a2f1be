"""Networks and count models of DNA, and their files."""
