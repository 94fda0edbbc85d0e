from makd.apis.aspect_inferencer import AspectInferencer

__all__ = ['AspectInferencer']
