# MaKD (paper section 3): the baseline's ResNet-18 also answers 66 yes/no questions about each emoji.
# python tools/train.py configs/makd/resnet18_emoji.py
# alpha is the best of 1, 4 and 16 on the validation styles (seeds 0 and 1); the paper's code has 4.
_base_ = [
    '../_base_/models/resnet18_half.py',
    '../_base_/datasets/emoji_cldr.py',
    '../_base_/schedules/emoji.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(
        type='makd.MaKDLinearClsHead',
        num_aspects=_base_.num_aspects,
        aspect_loss=dict(type='makd.MaKDLoss', loss_weight=16.0),
    )
)
default_hooks = dict(aspect_target_check=dict(type='makd.AspectTargetCheckHook'))
