"""How good a map or a model is: figures with intervals, and the pages that show them."""
