# MaKD (paper section 3): the baseline's ResNet-18 also answers the yes/no questions, learnt from the CLDR targets.
# python tools/train.py configs/makd/resnet18_emoji.py
_base_ = ['../baseline/resnet18_emoji.py']

aspect_targets = 'data/emoji/aspects/cldr'
load_aspects = dict(type='makd.LoadAspectTargets', targets=aspect_targets, data_root='data/emoji/images')

model = dict(
    head=dict(
        type='makd.MaKDLinearClsHead',
        num_aspects=80,
        aspect_loss=dict(type='makd.MaKDLoss', loss_weight=4.0),
    )
)
default_hooks = dict(aspect_target_check=dict(type='makd.AspectTargetCheckHook'))

train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.val_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
val_evaluator = [_base_.val_evaluator, dict(type='makd.AspectMetric')]
test_evaluator = val_evaluator
