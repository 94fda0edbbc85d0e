# MaKD on the regions of EmojiScenes with the answers of the bundled small MLLM about the thing in each box.
# python tools/annotate.py configs/annotate/tiny_mllm_emoji_scenes_regions.py
# python tools/train.py configs/makd/faster_rcnn_r18_fpn_emoji_scenes_regions_mllm.py
_base_ = ['./faster_rcnn_r18_fpn_emoji_scenes_regions.py']

load_regions = dict(targets='work_dirs/targets/emoji_scenes_regions_tiny_mllm')
train_dataloader = dict(dataset=dict(pipeline=[dict(_base_.train_dataloader.dataset.pipeline[0], **load_regions)]))
val_dataloader = dict(dataset=dict(pipeline=[dict(_base_.val_dataloader.dataset.pipeline[0], **load_regions)]))
test_dataloader = dict(dataset=dict(pipeline=[dict(_base_.test_dataloader.dataset.pipeline[0], **load_regions)]))
