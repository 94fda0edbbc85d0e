# MaKD: MobileNet-V1 also answers 66 yes/no questions about each emoji.
# python tools/train.py configs/makd/mobilenet_v1_emoji.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/emoji_cldr.py',
    '../_base_/schedules/emoji.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
