# Ablation "KL" (paper, Table 2): KL-divergence over the aspects in place of binary cross-entropy.
# python tools/train.py configs/ablation/resnet18_emoji_kl.py
# This loss sums over the questions, where MaKD's takes their mean: with MaKD's alpha of 16 nothing is learnt. alpha is
# the best of 0.25, 1 and 16 on the validation styles (seeds 0 and 1).
_base_ = ['../makd/resnet18_emoji.py']

model = dict(head=dict(aspect_loss=dict(type='makd.MaKDKLLoss', loss_weight=1.0)))
