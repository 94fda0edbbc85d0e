# Qwen2.5-VL-7B: 17 GB in bfloat16. An image keeps its shape and has one token per 28 x 28 pixels, here at most 768.
model = dict(
    type='makd.HFAnnotator',
    model='Qwen/Qwen2.5-VL-7B-Instruct',
    prompt='bare',  # the paper's; 'yes_no' asks for yes or no
    dtype='bfloat16',
    attn_implementation='sdpa',
    processor=dict(min_pixels=64 * 28 * 28, max_pixels=768 * 28 * 28),
    chunk_size=32,
)
