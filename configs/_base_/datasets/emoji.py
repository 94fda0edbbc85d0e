# Emoji: 849 classes with one training image each (Noto), validation on two other styles (blob, Fluent), test on two
# more (Twemoji, OpenMoji). Nothing is tuned on the test styles.
dataset_type = 'makd.EmojiDataset'
data_root = 'data/emoji'
num_classes = 849
data_preprocessor = dict(num_classes=num_classes, mean=[124.0, 117.0, 104.0], std=[70.0, 70.0, 70.0], to_rgb=True)

load_image = dict(type='makd.LoadImageOnBackground', background=(124, 117, 104))  # the images have transparent parts
train_pipeline = [
    load_image,
    dict(type='RandomResizedCrop', scale=32, crop_ratio_range=(0.6, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, backend='cv2'),
    dict(type='PackInputs'),
]
test_pipeline = [
    load_image,
    dict(type='Resize', scale=(32, 32)),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    drop_last=True,  # 849 = 53 * 16 + 1: batch normalisation cannot train on a single image
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type=dataset_type, data_root=data_root, styles=['noto'], pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, data_root=data_root, styles=['blob', 'fluent'], pipeline=test_pipeline, test_mode=True
    ),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], styles=['twemoji', 'openmoji']))
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
