# MaKD: ResNet-34 on DTD also answers 50 questions. Paper, Table 1: 59.89 % top-1 (baseline 53.76 %).
# python tools/train.py configs/makd/resnet34_dtd.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/dtd_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(
        type='makd.MaKDLinearClsHead',
        num_classes=_base_.num_classes,
        num_aspects=_base_.num_aspects,
        aspect_loss=dict(type='makd.MaKDLoss', loss_weight=4.0),
    )
)
default_hooks = dict(aspect_target_check=dict(type='makd.AspectTargetCheckHook'))
