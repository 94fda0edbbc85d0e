# COCO 2017, training and validation, to be annotated: 123,287 images, those without objects included. Layout as in
# mmdet; keys such as train2017/000000000009.jpg.
_base_ = ['./coco_detection.py']

images = [dict(part.dataset, pipeline=[]) for part in (_base_.train_dataloader, _base_.val_dataloader)]
dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(type='makd.AnnotationImages', data_root='data/coco', datasets=images),
)
train_dataloader = val_dataloader = test_dataloader = val_evaluator = test_evaluator = custom_hooks = None
train_pipeline = test_pipeline = None
