# MaKD: EfficientNet-B0 on StanfordCars also answers 50 questions. Paper, Table 1: 88.07 % top-1 (baseline 86.41 %).
# python tools/train.py configs/makd/efficientnet_b0_stanford_cars.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/stanford_cars_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
