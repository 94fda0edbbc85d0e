# 102 Flowers (Nilsback and Zisserman, 2008): 2,040 training (train and val) and 6,149 test images of 102 flowers, as
# published.
# python tools/prepare_dataset.py flowers102
_base_ = ['./photographs.py']

data_root = 'data/flowers102'
num_classes = 102
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(type='Flowers102', data_root=data_root, split='trainval'))
test_dataloader = dict(dataset=dict(type='Flowers102', data_root=data_root, split='test'))
