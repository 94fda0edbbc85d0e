# ImageNet-1k (Russakovsky et al., 2015): 1,281,167 training images; the 50,000 validation images are the test set, as
# usual with a short edge of 256 pixels.
# python tools/prepare_dataset.py imagenet --packages DIR
_base_ = ['./photographs.py']

data_root = 'data/imagenet'
num_classes = 1000
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(
    batch_size=512, num_workers=12, dataset=dict(type='ImageNet', data_root=data_root, split='train')
)
resize, crop = (
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=224),
)
test_pipeline = [dict(type='makd.LoadImage'), resize, crop, dict(type='PackInputs')]
test_dataloader = dict(dataset=dict(type='ImageNet', data_root=data_root, split='val', pipeline=test_pipeline))
