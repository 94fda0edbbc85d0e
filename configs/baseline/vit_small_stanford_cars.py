# ViT-S on StanfordCars, from scratch.
# python tools/train.py configs/baseline/vit_small_stanford_cars.py
_base_ = [
    '../_base_/models/vit_small.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/transformer_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
