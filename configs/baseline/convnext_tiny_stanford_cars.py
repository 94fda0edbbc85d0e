# ConvNeXt-T on StanfordCars, from scratch.
# python tools/train.py configs/baseline/convnext_tiny_stanford_cars.py
_base_ = [
    '../_base_/models/convnext_tiny.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/transformer_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
