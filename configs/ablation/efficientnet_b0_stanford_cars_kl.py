# EfficientNet-B0 on StanfordCars, KL-divergence over the aspects in place of binary cross-entropy. Paper, Table 2:
# 87.27 % top-1.
# alpha is 4, as for binary cross-entropy: the paper does not give its value, and it was not tuned here.
# python tools/train.py configs/ablation/efficientnet_b0_stanford_cars_kl.py
_base_ = ['../makd/efficientnet_b0_stanford_cars.py']

model = dict(head=dict(aspect_loss=dict(type='makd.MaKDKLLoss')))
