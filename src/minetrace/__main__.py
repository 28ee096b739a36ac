"""``python -m minetrace`` is the command line."""

from minetrace.faces.cli import main

if __name__ == "__main__":
    main()
