# DIST with the settings of its paper for CIFAR-100: both relations at weight 2, temperature 4, cross-entropy weight 1.
# (Weight and temperature are from memory: the authors' code that could be read here has the loss alone.)
distill_loss = dict(type='makd.DISTLoss', temperature=4.0, loss_weight=2.0)
distill = dict(distill_loss=distill_loss)
