"""Rules on outlines, each alone and to be combined at will.

Every rule takes outlines and gives outlines, in any CRS; distances are metres on the ground and
areas geodesic hectares, whatever the CRS says of them.
"""
