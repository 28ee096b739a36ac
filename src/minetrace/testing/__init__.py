"""Things to test with: the small seeded world. Tests, benchmarks and the demo import it, the rooms never do."""
