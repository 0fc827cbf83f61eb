"""What produces the README's figures: `python -m benchmarks NAME` runs one as it was made."""
