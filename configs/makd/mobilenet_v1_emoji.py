# MaKD: MobileNet-V1 also answers 66 yes/no questions about each emoji.
# python tools/train.py configs/makd/mobilenet_v1_emoji.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/emoji_cldr.py',
    '../_base_/schedules/emoji.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(
        type='makd.MaKDLinearClsHead',
        num_classes=849,
        num_aspects=_base_.num_aspects,
        aspect_loss=dict(type='makd.MaKDLoss', loss_weight=16.0),
    )
)
default_hooks = dict(aspect_target_check=dict(type='makd.AspectTargetCheckHook'))
