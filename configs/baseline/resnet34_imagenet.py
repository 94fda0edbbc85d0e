# ResNet-34 on ImageNet-1k, the teacher for KD, DKD, DIST and WTTM.
# python tools/train.py configs/baseline/resnet34_imagenet.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
