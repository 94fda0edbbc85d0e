# Ablation "Rand" (paper, Table 2): Gaussian logits in place of the answers.
# python tools/train.py configs/ablation/resnet18_emoji_random.py
_base_ = ['../makd/resnet18_emoji.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='random'))
