# COCO 2017, training and validation, to be annotated: 123,287 images, those without objects as well. Layout as in
# mmdet; keys such as train2017/000000000009.jpg.
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/coco',
        datasets=[
            dict(
                type='mmdet.CocoDataset',
                data_root='data/coco',
                ann_file=f'annotations/instances_{part}.json',
                data_prefix=dict(img=f'{part}/'),
                pipeline=[],
            )
            for part in ('train2017', 'val2017')
        ],
    ),
)
