# The control that separates knowledge from regularisation: each class learns the answers about another class.
# python tools/train.py configs/ablation/resnet18_emoji_shuffled.py
_base_ = ['../makd/resnet18_emoji.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='shuffled'))
