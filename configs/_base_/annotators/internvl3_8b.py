# InternVL3-8B in transformers' own format: no remote code, 16 GB in bfloat16. An image is one tile, or up to 12 and a
# thumbnail, of 256 tokens each; max_patches=1 is several times faster, and enough for small images.
model = dict(
    type='makd.HFAnnotator',
    model='OpenGVLab/InternVL3-8B-hf',
    prompt='bare',  # the paper's; 'yes_no' asks for yes or no
    dtype='bfloat16',
    attn_implementation='sdpa',
    processor=dict(max_patches=12),
    chunk_size=32,
)
