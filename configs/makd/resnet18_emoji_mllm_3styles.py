# MaKD from the answers of the bundled MLLM, with three training images per class: Noto, blob and Fluent.
# make annotate && python tools/train.py configs/makd/resnet18_emoji_mllm_3styles.py
_base_ = ['./resnet18_emoji_3styles.py']

load_aspects = dict(
    type='makd.LoadAspectTargets', targets='work_dirs/targets/emoji_tiny_mllm', data_root='data/emoji/images'
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline[:-1], load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline[:-1], load_aspects]))
