# CUB-200-2011 (Wah et al., 2011): 5,994 training and 5,794 test images of 200 birds, as published.
# python tools/prepare_dataset.py cub200
_base_ = ['./photographs.py']

data_root = 'data/cub200'
num_classes = 200
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(type='CUB', data_root=data_root, split='train'))
test_dataloader = dict(dataset=dict(type='CUB', data_root=data_root, split='test'))
