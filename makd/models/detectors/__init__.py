from makd.models.detectors.distill_detector import (
    DistillDetectorMixin,
    DistillFasterRCNN,
    DistillMaKDFasterRCNN,
    DistillRoIHead,
    DistillRoIHeadMixin,
)
from makd.models.detectors.makd_detector import MaKDDetectorMixin, MaKDDETR, MaKDFasterRCNN, MaKDRetinaNet
from makd.models.detectors.mobilenet_v2 import MobileNetV2Stages

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
    'MobileNetV2Stages',
]
