# The things in the boxes of COCO 2017, training and validation, to be annotated: 860,001 boxes in training, crowds
# included, which are left out. Each is cut out; keys such as train2017/000000000009.jpg#1.08,187.69,612.67,473.53.
# The answers about a part of the training images, to train on train_dataloader.fraction=0.01:
# --cfg-options dataloader.dataset.datasets.0.fraction=0.01
_base_ = ['./coco_annotate.py']

training, validation = _base_.images
images = [dict(type='makd.SubsetDataset', fraction=1.0, dataset=training), validation]
dataloader = dict(dataset=dict(type='makd.AnnotationRegions', datasets=images))
