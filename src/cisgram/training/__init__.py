"""One training loop, and the tasks it trains models on."""
