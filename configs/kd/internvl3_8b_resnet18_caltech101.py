# KD: a multimodal LLM's zero-shot class probabilities teach ResNet-18 on Caltech-101. Paper, Table 7, with
# InternVL2-8B: 73.86 % top-1.
# python tools/train.py configs/kd/internvl3_8b_resnet18_caltech101.py
_base_ = [
    '../baseline/resnet18_caltech101.py',
    '../_base_/distill/internvl3_8b_caltech101.py',
    '../_base_/distill/kd.py',
]

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, _base_.load_teacher_logits]))
custom_hooks = [_base_.teacher_logits_hook]
