# All images of the emoji, in all five styles, to be annotated: 4,046 of 64 x 64 pixels. The keys are those of
# emoji_cldr.py, so that training reads the answers with data_root='data/emoji/images'.
dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(type='makd.AnnotationImages', data_root='data/emoji/images'),
)
