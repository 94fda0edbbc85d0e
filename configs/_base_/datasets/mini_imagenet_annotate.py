# Mini-ImageNet, training and test, to be annotated.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/mini_imagenet',
        datasets=[
            dict(type='makd.MiniImageNet', data_root='data/mini_imagenet', split=split, pipeline=[])
            for split in ('train', 'test')
        ],
    ),
)
