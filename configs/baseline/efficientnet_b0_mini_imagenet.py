# EfficientNet-B0 on Mini-ImageNet, from scratch. Paper, Table 1: 73.05 % top-1.
# python tools/train.py configs/baseline/efficientnet_b0_mini_imagenet.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/mini_imagenet.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
