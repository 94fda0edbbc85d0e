# Qwen3-VL-8B: 18 GB in bfloat16. An image keeps its shape and has one token per 32 x 32 pixels, here at most 768.
model = dict(
    type='makd.HFAnnotator',
    model='Qwen/Qwen3-VL-8B-Instruct',
    prompt='bare',  # the paper's; 'yes_no' asks for yes or no
    dtype='bfloat16',
    attn_implementation='sdpa',
    processor=dict(min_pixels=64 * 32 * 32, max_pixels=768 * 32 * 32),
    chunk_size=32,
)
