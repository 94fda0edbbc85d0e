# SmolVLM2 2.2B: 5 GB in bfloat16, for small GPUs; its processor needs the package num2words. An image is one tile of 81
# tokens here; do_image_splitting=True adds up to 16 more. Its template ends with a colon, so it writes a space first.
model = dict(
    type='makd.HFAnnotator',
    model='HuggingFaceTB/SmolVLM2-2.2B-Instruct',
    prompt='bare',  # the paper's; 'yes_no' asks for yes or no
    answers=(' Yes', ' No'),
    dtype='bfloat16',
    attn_implementation='sdpa',
    processor=dict(do_image_splitting=False),
    chunk_size=32,
)
