# Caltech-101, training and test, to be annotated.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/caltech101',
        datasets=[
            dict(type='mmpretrain.Caltech101', data_root='data/caltech101', split=split, pipeline=[])
            for split in ('train', 'test')
        ],
    ),
)
