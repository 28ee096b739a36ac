"""Models: shipped and published ones, training, export; the only room that may import torch."""
