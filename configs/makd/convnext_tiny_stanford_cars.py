# MaKD: ConvNeXt-T on StanfordCars also answers 50 questions.
# python tools/train.py configs/makd/convnext_tiny_stanford_cars.py
_base_ = [
    '../_base_/models/convnext_tiny.py',
    '../_base_/datasets/stanford_cars_internvl2_8b.py',
    '../_base_/schedules/transformer_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
