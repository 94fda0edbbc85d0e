# MaKD + WTTM: ResNet-34 teaches ResNet-18 on the emoji.
# python tools/train.py configs/baseline/resnet34_emoji.py          # the teacher, once
# python tools/train.py configs/makd_wttm/resnet34_resnet18_emoji.py
_base_ = ['../makd/resnet18_emoji.py', '../_base_/distill/resnet34_emoji.py', '../_base_/distill/wttm.py']

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
