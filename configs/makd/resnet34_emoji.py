# MaKD: half-width ResNet-34 also answers 66 yes/no questions about each emoji.
# python tools/train.py configs/makd/resnet34_emoji.py
_base_ = ['./resnet18_emoji.py']

model = dict(backbone=dict(depth=34))
