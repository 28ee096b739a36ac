"""Where an artefact lives, and how it gets there: COG, GeoParquet, sidecars, the ledger."""
