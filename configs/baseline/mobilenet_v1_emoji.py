# MobileNet-V1 on the emoji, from scratch.
# python tools/train.py configs/baseline/mobilenet_v1_emoji.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/emoji.py',
    '../_base_/schedules/emoji.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
