# MaKD: ResNet-34 on StanfordCars, questions by GPT-3.5. Paper, Table 3: 83.65 % top-1.
# python tools/train.py configs/ablation/resnet34_stanford_cars_gpt35.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/stanford_cars_gpt35.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
