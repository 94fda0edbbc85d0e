# MaKD + DKD (paper section 4.4, Table 4): the MaKD student with DKD on its class logits.
# python tools/train.py configs/baseline/resnet34_emoji.py          # the teacher, once
# python tools/train.py configs/makd_dkd/resnet34_resnet18_emoji.py
_base_ = ['../makd/resnet18_emoji.py', '../_base_/distill/resnet34_emoji.py', '../_base_/distill/dkd.py']

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
default_hooks = dict(distill_warmup=_base_.distill_warmup)
