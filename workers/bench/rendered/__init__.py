"""Songs with their true stems, rendered by soundfonts, synths and voices: for the benches and for training."""
