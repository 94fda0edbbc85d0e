from makd.models.detectors.distill_detector import (
    DistillDetectorMixin,
    DistillFasterRCNN,
    DistillMaKDFasterRCNN,
    DistillRoIHead,
    DistillRoIHeadMixin,
)
from makd.models.detectors.makd_detector import MaKDDetectorMixin, MaKDDETR, MaKDFasterRCNN, MaKDRetinaNet

__all__ = [
    'DistillDetectorMixin',
    'DistillFasterRCNN',
    'DistillMaKDFasterRCNN',
    'DistillRoIHead',
    'DistillRoIHeadMixin',
    'MaKDDETR',
    'MaKDDetectorMixin',
    'MaKDFasterRCNN',
    'MaKDRetinaNet',
]
