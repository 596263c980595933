"""``bench_training``: how fast and how well recipes learn, beside a tutorial's loop."""
