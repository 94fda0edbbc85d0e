# MaKD: ResNet-101 on StanfordCars also answers 50 questions.
# python tools/train.py configs/makd/resnet101_stanford_cars.py
_base_ = [
    '../_base_/models/resnet101.py',
    '../_base_/datasets/stanford_cars_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
