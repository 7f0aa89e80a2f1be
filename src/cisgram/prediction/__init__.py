"""What trained models say about sequence."""
