"""The frozen nouns that everyone passes. No module here reads or writes a file."""
