# What the annotation of the datasets of photographs has in common. A dataset's fragment adds the images of its splits,
# with `_scope_`, which finds mmpretrain's datasets and imports mmpretrain only when the images are listed.
dataloader = dict(batch_size=4, num_workers=8, dataset=dict(type='makd.AnnotationImages'))
