# Caltech-101 (Fei-Fei et al., 2004): 9,144 images of 102 categories including the background. There is no official
# split, and the paper does not say which one it used: every fifth image of a category is a test image
# (tools/prepare_dataset.py writes the lists).
# python tools/prepare_dataset.py caltech101
_base_ = ['./photographs.py']

data_root = 'data/caltech101'
num_classes = 102
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(type='Caltech101', data_root=data_root, split='train'))
test_dataloader = dict(dataset=dict(type='Caltech101', data_root=data_root, split='test'))
