# ImageNet-1k (Russakovsky et al., 2015): 1,281,167 training images of 1,000 classes; tested on the 50,000 of the
# validation set, as everybody does.
# python tools/prepare_dataset.py imagenet
_base_ = ['./photographs.py']

num_classes = 1000
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(batch_size=256, dataset=dict(type='ImageNet', data_root='data/imagenet', split='train'))
test_dataloader = dict(dataset=dict(type='ImageNet', data_root='data/imagenet', split='val'))
