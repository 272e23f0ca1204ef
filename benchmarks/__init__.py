"""One module a claim, in a folder a service: each prints a table and writes JSON to benchmarks/results/."""
