# StanfordCars, training and test, to be annotated.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/stanford_cars',
        datasets=[
            dict(type='mmpretrain.StanfordCars', data_root='data/stanford_cars', split=split, pipeline=[])
            for split in ('train', 'test')
        ],
    ),
)
