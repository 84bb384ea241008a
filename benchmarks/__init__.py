"""Both sides of a claim on the same work, interleaved in one process: `python -m benchmarks NAME`."""
