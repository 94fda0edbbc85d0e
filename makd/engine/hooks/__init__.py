from makd.engine.hooks.ablate_aspect_targets import AblateAspectTargetsHook
from makd.engine.hooks.aspect_target_check import AspectTargetCheckHook
from makd.engine.hooks.coco_class_check import CocoClassCheckHook
from makd.engine.hooks.detection_pictures import DetectionPicturesHook
from makd.engine.hooks.distill_warmup import DistillWarmupHook
from makd.engine.hooks.prediction_pictures import PredictionPicturesHook
from makd.engine.hooks.teacher_logits import TeacherLogitsHook

__all__ = [
    'AblateAspectTargetsHook',
    'AspectTargetCheckHook',
    'CocoClassCheckHook',
    'DetectionPicturesHook',
    'DistillWarmupHook',
    'PredictionPicturesHook',
    'TeacherLogitsHook',
]
