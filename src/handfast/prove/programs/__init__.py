"""How each target's real program is run on loopback: one file each, named as the target."""
