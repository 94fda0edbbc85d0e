# What the paper's photograph datasets have in common: 224 pixels, ImageNet's mean and standard deviation, random crops
# and flips in training, centre crops in the test, batches of 16 (section 4.1). As in the authors' code, the short edge
# of a test image becomes 224 pixels, and Pillow resizes: it averages over what becomes one pixel, where OpenCV
# interpolates between four. The datasets inherit from this file.
# They have no validation split: tools/test.py tests the last epoch, once.
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)

train_pipeline = [
    dict(type='makd.LoadImage'),
    dict(type='RandomResizedCrop', scale=224, backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='makd.LoadImage'),
    dict(type='ResizeEdge', scale=224, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=128,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline),
)
test_evaluator = dict(type='Accuracy', topk=(1, 5))
val_dataloader = val_evaluator = None
