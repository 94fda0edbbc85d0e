# MaKD: ResNet-18 on StanfordCars, questions by GPT-3.5. Paper, Table 3: 82.46 % top-1.
# python tools/train.py configs/ablation/resnet18_stanford_cars_gpt35.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/stanford_cars_gpt35.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(
        type='makd.MaKDLinearClsHead',
        num_classes=_base_.num_classes,
        num_aspects=_base_.num_aspects,
        aspect_loss=dict(type='makd.MaKDLoss', loss_weight=4.0),
    )
)
default_hooks = dict(aspect_target_check=dict(type='makd.AspectTargetCheckHook'))
