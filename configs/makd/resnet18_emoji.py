# MaKD (paper section 3): the baseline's ResNet-18 also answers 66 yes/no questions about each emoji.
# python tools/train.py configs/makd/resnet18_emoji.py
_base_ = [
    '../_base_/models/resnet18_half.py',
    '../_base_/datasets/emoji_cldr.py',
    '../_base_/schedules/emoji.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
