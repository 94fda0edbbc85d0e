# DIST with its authors' settings for CIFAR-100: both relations at weight 2, temperature 4, cross-entropy weight 1.
distill_loss = dict(type='makd.DISTLoss', temperature=4.0, loss_weight=2.0)
distill = dict(distill_loss=distill_loss)
