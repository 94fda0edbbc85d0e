# MaKD + DKD: EfficientNet-B0 teaches MobileNet-V1 on Caltech-101. Paper, Table 4: 80.95 % top-1.
# python tools/train.py configs/baseline/efficientnet_b0_caltech101.py          # the teacher, once
# python tools/train.py configs/makd_dkd/efficientnet_b0_mobilenet_v1_caltech101.py
_base_ = [
    '../makd/mobilenet_v1_caltech101.py',
    '../_base_/distill/efficientnet_b0_caltech101.py',
    '../_base_/distill/dkd.py',
]

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
default_hooks = dict(distill_warmup=dict(_base_.distill_warmup, warmup_epochs=20))
