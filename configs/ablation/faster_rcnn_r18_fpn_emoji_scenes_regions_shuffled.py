# The control for configs/makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py: the things of each kind learn the answers
# about those of another kind.
# python tools/train.py configs/ablation/faster_rcnn_r18_fpn_emoji_scenes_regions_shuffled.py
_base_ = ['../makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='shuffled'))
