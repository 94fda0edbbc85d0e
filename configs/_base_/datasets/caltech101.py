# Caltech-101 (Fei-Fei et al., 2004): 8,677 images of 101 categories, without the background images, as the paper's
# authors have it. There is no official split, and the paper does not say which one it used: every fifth image of a
# category is a test image (tools/prepare_dataset.py writes the lists), which leaves about 7,000 for training.
# python tools/prepare_dataset.py caltech101
_base_ = ['./photographs.py']

data_root = 'data/caltech101'
num_classes = 101
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(type='makd.Caltech101', data_root=data_root, split='train'))
test_dataloader = dict(dataset=dict(type='makd.Caltech101', data_root=data_root, split='test'))
