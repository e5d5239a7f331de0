"""One model in motion: batch, sampling, engine."""
