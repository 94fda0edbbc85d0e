# CUB-200-2011, training and test, to be annotated.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/cub200',
        datasets=[
            dict(type='mmpretrain.CUB', data_root='data/cub200', split=split, pipeline=[])
            for split in ('train', 'test')
        ],
    ),
)
