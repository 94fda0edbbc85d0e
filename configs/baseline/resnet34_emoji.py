# The teacher for KD and DKD: ResNet-34, trained like the baseline.
# python tools/train.py configs/baseline/resnet34_emoji.py
_base_ = ['./resnet18_emoji.py']

model = dict(backbone=dict(depth=34))
