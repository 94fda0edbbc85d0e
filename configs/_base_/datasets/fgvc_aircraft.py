# FGVC-Aircraft (Maji et al., 2013): 6,667 training (trainval) and 3,333 test images of 100 variants, as published.
# python tools/prepare_dataset.py fgvc_aircraft
_base_ = ['./photographs.py']

data_root = 'data/fgvc_aircraft'
num_classes = 100
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(type='FGVCAircraft', data_root=data_root, split='trainval'))
test_dataloader = dict(dataset=dict(type='FGVCAircraft', data_root=data_root, split='test'))
