# MaKD: ResNet-18 on ImageNet-1k also answers 50 questions.
# python tools/train.py configs/makd/resnet18_imagenet.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/imagenet_internvl3_8b.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
