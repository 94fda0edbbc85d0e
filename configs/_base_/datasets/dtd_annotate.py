# DTD, training and test, to be annotated.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/dtd',
        datasets=[
            dict(type='mmpretrain.DTD', data_root='data/dtd', split=split, pipeline=[])
            for split in ('trainval', 'test')
        ],
    ),
)
