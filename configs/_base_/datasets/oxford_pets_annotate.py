# OxfordPets, training and test, to be annotated.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/oxford_pets',
        datasets=[
            dict(type='mmpretrain.OxfordIIITPet', data_root='data/oxford_pets', split=split, pipeline=[])
            for split in ('trainval', 'test')
        ],
    ),
)
