from makd.models import backbones, classifiers, data_preprocessor, heads, losses

__all__ = ['backbones', 'classifiers', 'data_preprocessor', 'heads', 'losses']
