"""More than one machine: cameras over nodes, footage over workers; needs the extra `cluster`.

Frames do not cross machines: a camera is given to a node, and the ordinary engine runs there.
"""
