# MaKD: EfficientNet-B0 also answers 66 yes/no questions about each emoji.
# python tools/train.py configs/makd/efficientnet_b0_emoji.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/emoji_cldr.py',
    '../_base_/schedules/emoji.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
