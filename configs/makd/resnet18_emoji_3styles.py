# MaKD with three training images per class (Noto, blob and Fluent) and about as many steps as with one. No style is
# left for validation, and nothing is tuned.
# python tools/train.py configs/makd/resnet18_emoji_3styles.py
_base_ = ['./resnet18_emoji.py']

train_dataloader = dict(dataset=dict(styles=['noto', 'blob', 'fluent']))
param_scheduler = dict(milestones=[10, 12, 14])
train_cfg = dict(max_epochs=16)
val_dataloader = val_evaluator = val_cfg = None
