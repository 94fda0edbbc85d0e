# The control for configs/makd/resnet18_emoji_mllm_unlabelled.py: each class learns the answers about another class.
# make annotate && python tools/train.py configs/ablation/resnet18_emoji_mllm_unlabelled_shuffled.py
_base_ = ['../makd/resnet18_emoji_mllm_unlabelled.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='shuffled'))
