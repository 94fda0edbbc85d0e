# WTTM. Its authors tuned both values for each pair of networks: on CIFAR-100 most powers are 0.1 or 0.2, most weights
# between 1 and 5 (Tables 8 and 9). These are theirs for a ResNet-50 that teaches a VGG-8.
distill_loss = dict(type='makd.WTTMLoss', gamma=0.1, loss_weight=2.0)
distill = dict(distill_loss=distill_loss)
