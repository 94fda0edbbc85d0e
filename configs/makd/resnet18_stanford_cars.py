# MaKD: ResNet-18 on StanfordCars also answers 50 questions. Paper, Table 1: 83.38 % top-1 (baseline 77.53 %).
# python tools/train.py configs/makd/resnet18_stanford_cars.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/stanford_cars_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
