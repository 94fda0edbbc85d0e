# KD (Hinton et al.): the baseline's ResNet-18 also learns the class logits of a ResNet-34.
# python tools/train.py configs/baseline/resnet34_emoji.py          # the teacher, once
# python tools/train.py configs/kd/resnet34_resnet18_emoji.py
_base_ = ['../baseline/resnet18_emoji.py', '../_base_/distill/resnet34_emoji.py', '../_base_/distill/kd.py']

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
