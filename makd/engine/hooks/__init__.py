from makd.engine.hooks.coco_class_check import CocoClassCheckHook
from makd.engine.hooks.distill_warmup import DistillWarmupHook
from makd.engine.hooks.epoch_seed import EpochSeedHook
from makd.engine.hooks.identity import IdentityHook
from makd.engine.hooks.pictures import DetectionPicturesHook, PredictionPicturesHook
from makd.engine.hooks.targets import AblateAspectTargetsHook, AspectTargetCheckHook, TeacherLogitsHook
from makd.engine.hooks.training_check import TrainingCheckHook

__all__ = [
    'AblateAspectTargetsHook',
    'AspectTargetCheckHook',
    'CocoClassCheckHook',
    'DetectionPicturesHook',
    'DistillWarmupHook',
    'EpochSeedHook',
    'IdentityHook',
    'PredictionPicturesHook',
    'TeacherLogitsHook',
    'TrainingCheckHook',
]
