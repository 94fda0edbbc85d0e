# MaKD: ResNet-34 on StanfordCars, answers by LLaVA-NeXT 34B. Paper, Table 3: 84.47 % top-1.
# python tools/train.py configs/ablation/resnet34_stanford_cars_llava_next_34b.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/stanford_cars_llava_next_34b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
