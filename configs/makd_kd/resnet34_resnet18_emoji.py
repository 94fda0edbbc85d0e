# MaKD + KD (paper section 4.4, Table 4): the MaKD student with KD on its class logits.
# python tools/train.py configs/baseline/resnet34_emoji.py          # the teacher, once
# python tools/train.py configs/makd_kd/resnet34_resnet18_emoji.py
_base_ = ['../makd/resnet18_emoji.py', '../_base_/distill/resnet34_emoji.py', '../_base_/distill/kd.py']

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
