"""Metrics, registered in the scope ``makd``."""

from .aspect_metric import AspectMetric

__all__ = ['AspectMetric']
