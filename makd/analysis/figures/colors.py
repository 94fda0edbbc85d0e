"""Colours that mean the same in every figure."""

COLORS = {'teacher': 'C0', 'student': 'C1'}
