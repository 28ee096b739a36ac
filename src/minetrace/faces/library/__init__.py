"""The library: what ``import minetrace`` offers, the same verbs as the command line."""
