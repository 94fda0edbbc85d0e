from makd.apis.aspect_inferencer import AspectInferencer
from makd.apis.region_inferencer import RegionInferencer

__all__ = ['AspectInferencer', 'RegionInferencer']
