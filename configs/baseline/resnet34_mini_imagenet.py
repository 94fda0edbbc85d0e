# ResNet-34 on Mini-ImageNet, from scratch. Paper, Table 1: 77.47 % top-1.
# python tools/train.py configs/baseline/resnet34_mini_imagenet.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/mini_imagenet.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
