from makd.engine.hooks.ablate_aspect_targets import AblateAspectTargetsHook
from makd.engine.hooks.aspect_target_check import AspectTargetCheckHook
from makd.engine.hooks.distill_warmup import DistillWarmupHook
from makd.engine.hooks.prediction_pictures import PredictionPicturesHook
from makd.engine.hooks.teacher_logits import TeacherLogitsHook

__all__ = [
    'AblateAspectTargetsHook',
    'AspectTargetCheckHook',
    'DistillWarmupHook',
    'PredictionPicturesHook',
    'TeacherLogitsHook',
]
