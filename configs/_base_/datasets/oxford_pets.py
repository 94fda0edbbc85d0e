# Oxford-IIIT Pets (Parkhi et al., 2012): 3,680 training (trainval) and 3,669 test images of 37 breeds, as published.
# python tools/prepare_dataset.py oxford_pets
_base_ = ['./photographs.py']

data_root = 'data/oxford_pets'
num_classes = 37
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(type='OxfordIIITPet', data_root=data_root, split='trainval'))
test_dataloader = dict(dataset=dict(type='OxfordIIITPet', data_root=data_root, split='test'))
