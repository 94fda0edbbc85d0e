# LLaVA-NeXT 34B, the other MLLM of the paper's Table 3: 69 GB in bfloat16, spread over the GPUs of one process
# (device_map needs accelerate). An image is up to 5 tiles of 576 tokens.
model = dict(
    type='makd.HFAnnotator',
    model='llava-hf/llava-v1.6-34b-hf',
    prompt='bare',  # the paper's; 'yes_no' asks for yes or no
    dtype='bfloat16',
    attn_implementation='sdpa',
    device_map='auto',
    chunk_size=16,
)
