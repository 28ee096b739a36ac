"""What is handed on: files, catalog, data card and the map."""
