"""The web face: what a browser or a program may ask of published folders."""
