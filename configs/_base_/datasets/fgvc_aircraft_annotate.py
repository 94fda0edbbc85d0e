# FGVC-Aircraft, training and test, to be annotated.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/fgvc_aircraft',
        datasets=[
            dict(type='mmpretrain.FGVCAircraft', data_root='data/fgvc_aircraft', split=split, pipeline=[])
            for split in ('trainval', 'test')
        ],
    ),
)
