# KD: a multimodal LLM's zero-shot class probabilities teach ResNet-18 on Caltech-101. Paper, Table 7, with
# InternVL2-8B: 73.86 % top-1.
# python tools/train.py configs/kd/internvl3_8b_resnet18_caltech101.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/caltech101_internvl3_8b_classes.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
    '../_base_/distill/kd.py',
]

model = dict(
    type='makd.DistillImageClassifier',
    head=dict(num_classes=_base_.num_classes, loss=_base_.class_loss),
    distill_loss=_base_.distill_loss,
    teacher=None,
)
custom_hooks = [dict(type='makd.TeacherLogitsHook')]
