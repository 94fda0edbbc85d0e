# Describable Textures (Cimpoi et al., 2014), the first of its ten splits: 3,760 training (train and val) and 1,880 test
# images of 47 textures.
# python tools/prepare_dataset.py dtd
_base_ = ['./photographs.py']

data_root = 'data/dtd'
num_classes = 47
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(type='DTD', data_root=data_root, split='trainval'))
test_dataloader = dict(dataset=dict(type='DTD', data_root=data_root, split='test'))
