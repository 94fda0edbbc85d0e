# EfficientNet-B0 on the emoji, from scratch.
# python tools/train.py configs/baseline/efficientnet_b0_emoji.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/emoji.py',
    '../_base_/schedules/emoji.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
