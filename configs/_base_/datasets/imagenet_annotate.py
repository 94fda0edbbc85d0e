# ImageNet-1k, training and validation, to be annotated: 1,331,167 images. Layout as in mmpretrain; keys such as
# train/n01440764/n01440764_10026.JPEG.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/imagenet',
        datasets=[
            dict(type='mmpretrain.ImageNet', data_root='data/imagenet', split=split, pipeline=[])
            for split in ('train', 'val')
        ],
    ),
)
