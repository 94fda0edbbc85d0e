# DIST: ResNet-34 teaches ResNet-18 on Caltech-101.
# python tools/train.py configs/baseline/resnet34_caltech101.py          # the teacher, once
# python tools/train.py configs/dist/resnet34_resnet18_caltech101.py
_base_ = ['../baseline/resnet18_caltech101.py', '../_base_/distill/resnet34_caltech101.py', '../_base_/distill/dist.py']

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
