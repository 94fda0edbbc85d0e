# ResNet-101 on StanfordCars, from scratch.
# python tools/train.py configs/baseline/resnet101_stanford_cars.py
_base_ = [
    '../_base_/models/resnet101.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
