"""Things to test with; tests, benchmarks and the demo import them, the rooms never do."""
