"""Figures for print: a map, hectares through time, small multiples, chips and courses of sites.

Functions of frames and arrays that return matplotlib figures; they read no files. matplotlib is
an optional part (``pip install 'minetrace[plot]'``) and is loaded when a figure is drawn.
"""
