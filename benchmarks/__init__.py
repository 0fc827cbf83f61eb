"""What produces every figure in the docs. `python -m benchmarks NAME` runs one."""
