# MaKD: ResNet-18 on StanfordCars, questions by GPT-3.5. Paper, Table 3: 82.46 % top-1.
# python tools/train.py configs/ablation/resnet18_stanford_cars_gpt35.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/stanford_cars_gpt35.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
