# The control that counts for configs/makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py: each thing learns the answers
# about another thing of its kind, so what a label says is kept, and what a picture says is lost.
# python tools/train.py configs/ablation/faster_rcnn_r18_fpn_emoji_scenes_regions_shuffled_within.py
_base_ = ['../makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='shuffled_within'))
