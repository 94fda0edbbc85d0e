# EmojiScenes: things of ten kinds, drawn by three artists for training, by a fourth for validation and by a fifth for
# the test. Composed from data/emoji by `python tools/prepare_dataset.py emoji_scenes`. The plain student, its schedule
# and the kinds were once chosen by the student's AP50 on the test scenes; nothing that sets MaKD or a distiller apart
# from it was.
data_root = 'data/emoji_scenes'
classes = ('animal', 'flower', 'fruit', 'drink', 'vehicle', 'building', 'clock', 'moon', 'cloud', 'instrument')

train_pipeline = [
    dict(type='makd.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='makd.LoadImage'),
    dict(type='Resize', scale_factor=1.0),  # records a scale factor of 1
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
palette = [
    *((31, 119, 180), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75)),
    *((227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207), (255, 127, 14)),
]
dataset = dict(type='CocoDataset', data_root=data_root, metainfo=dict(classes=classes, palette=palette))
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='annotations/train.json', data_prefix=dict(img='train/'), pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        pipeline=test_pipeline,
        test_mode=True,
        **dataset,
    ),
)
val_evaluator = dict(type='CocoMetric', ann_file=f'{data_root}/annotations/val.json', metric='bbox')
val_cfg = dict()  # once, at the end of training
test_dataloader = dict(
    val_dataloader,
    dataset=dict(val_dataloader['dataset'], ann_file='annotations/test.json', data_prefix=dict(img='test/')),
)
test_evaluator = dict(val_evaluator, ann_file=f'{data_root}/annotations/test.json')
test_cfg = dict()

custom_hooks = [
    dict(type='makd.CocoClassCheckHook'),
    dict(type='makd.DetectionPicturesHook', dataset=val_dataloader['dataset']),
]
