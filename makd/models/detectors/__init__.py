from makd.models.detectors.distill_detector import (
    DistillDetectorMixin,
    DistillFasterRCNN,
    DistillMaKDFasterRCNN,
    DistillRoIHead,
    DistillRoIHeadMixin,
)
from makd.models.detectors.makd_bbox_head import (
    MaKDBBoxHead,
    MaKDBBoxHeadMixin,
    MaKDShared2FCBBoxHead,
    MaKDShared4Conv1FCBBoxHead,
)
from makd.models.detectors.makd_detector import MaKDDetectorMixin, MaKDDETR, MaKDFasterRCNN, MaKDRetinaNet
from makd.models.detectors.makd_detr_head import MaKDConditionalDETRHead, MaKDDETRHead, MaKDDETRHeadMixin
from makd.models.detectors.makd_roi_head import MaKDCascadeRoIHead, MaKDRoIHead, MaKDRoIHeadMixin
from makd.models.detectors.mobilenet_v2 import MobileNetV2Stages

__all__ = [
    'DistillDetectorMixin',
    'DistillFasterRCNN',
    'DistillMaKDFasterRCNN',
    'DistillRoIHead',
    'DistillRoIHeadMixin',
    'MaKDBBoxHead',
    'MaKDBBoxHeadMixin',
    'MaKDCascadeRoIHead',
    'MaKDConditionalDETRHead',
    'MaKDDETR',
    'MaKDDETRHead',
    'MaKDDETRHeadMixin',
    'MaKDDetectorMixin',
    'MaKDFasterRCNN',
    'MaKDRetinaNet',
    'MaKDRoIHead',
    'MaKDRoIHeadMixin',
    'MaKDShared2FCBBoxHead',
    'MaKDShared4Conv1FCBBoxHead',
    'MobileNetV2Stages',
]
