# Ablation "KL" (paper Table 2): KL-divergence over the aspects in place of binary cross-entropy.
# python tools/train.py configs/ablation/resnet18_emoji_kl.py
_base_ = ['../makd/resnet18_emoji.py']

model = dict(head=dict(aspect_loss=dict(type='makd.MaKDKLLoss')))
