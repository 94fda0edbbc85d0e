# The classifier whose backbone initialises the EmojiScenes detectors, as an ImageNet backbone initialises COCO's: 849
# emoji as the scenes show them, on random backgrounds, in three styles. The style of the test scenes is not among them.
# No style is left for validation, and nothing is tuned.
# python tools/train.py configs/baseline/resnet18_emoji_grounds.py
_base_ = ['./resnet18_emoji_3styles.py']

train_pipeline = [
    dict(type='makd.LoadEmojiOnGround', size=80),
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.5, 1.0)),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, backend='cv2'),
    dict(type='RandomErasing', erase_prob=0.25, mode='rand', max_area_ratio=0.25),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='makd.LoadImageOnBackground', background=(124, 117, 104)),
    dict(type='ResizeEdge', scale=64),
    dict(type='PackInputs'),
]
model = dict(head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original')))
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=200),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=120, T_max=120, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=120)
auto_scale_lr = dict(base_batch_size=64)
