# What a head needs to answer 50 questions per image, with the paper's alpha, 4 (section 4.1):
#   model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
num_aspects = 50
aspects = dict(num_aspects=num_aspects, aspect_loss=dict(type='makd.MaKDLoss', loss_weight=4.0))
