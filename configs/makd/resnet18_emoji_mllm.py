# MaKD from a multimodal LLM's answers about each image: the bundled one, data/teachers/tiny-mllm-emoji.
# make annotate && python tools/train.py configs/makd/resnet18_emoji_mllm.py
_base_ = ['./resnet18_emoji.py']

load_aspects = dict(
    type='makd.LoadAspectTargets', targets='work_dirs/targets/emoji_tiny_mllm', data_root='data/emoji/images'
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline[:-1], load_aspects]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.val_dataloader.dataset.pipeline[:-1], load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline[:-1], load_aspects]))
