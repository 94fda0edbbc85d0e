"""Metrics, registered in the scope ``makd``."""

from makd.evaluation.aspect_metric import AspectMetric

__all__ = ['AspectMetric']
