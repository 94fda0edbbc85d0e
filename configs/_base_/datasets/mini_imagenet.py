# Mini-ImageNet (Vinyals et al., 2016): 50,000 training and 10,000 test images of 100 ImageNet classes, 500 and 100 per
# class; the paper does not say how it split them.
# python tools/prepare_dataset.py mini_imagenet
_base_ = ['./photographs.py']

data_root = 'data/mini_imagenet'
num_classes = 100
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(batch_size=512, dataset=dict(type='makd.MiniImageNet', data_root=data_root, split='train'))
test_dataloader = dict(dataset=dict(type='makd.MiniImageNet', data_root=data_root, split='test'))
