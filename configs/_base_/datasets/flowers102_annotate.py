# 102Flowers, training and test, to be annotated.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/flowers102',
        datasets=[
            dict(type='mmpretrain.Flowers102', data_root='data/flowers102', split=split, pipeline=[])
            for split in ('trainval', 'test')
        ],
    ),
)
