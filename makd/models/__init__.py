from makd.models import classifiers, heads, losses

__all__ = ['classifiers', 'heads', 'losses']
