# DKD (Zhao et al., CVPR 2022): like KD, with the loss decoupled into target class and non-target classes.
# python tools/train.py configs/baseline/resnet34_emoji.py          # the teacher, once
# python tools/train.py configs/dkd/resnet34_resnet18_emoji.py
_base_ = ['../baseline/resnet18_emoji.py', '../_base_/distill/resnet34_emoji.py', '../_base_/distill/dkd.py']

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
default_hooks = dict(distill_warmup=_base_.distill_warmup)
