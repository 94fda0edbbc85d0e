# MobileNet-V1 on Mini-ImageNet, from scratch. Paper, Table 1: 77.50 % top-1.
# python tools/train.py configs/baseline/mobilenet_v1_mini_imagenet.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/mini_imagenet.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
