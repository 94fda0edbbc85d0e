# InternVL3-38B in vLLM, in 8-bit floats on two GPUs of 80 GB, in an environment of its own: requirements/vllm.txt.
model = dict(
    type='makd.VLLMAnnotator',
    model='OpenGVLab/InternVL3-38B-hf',
    prompt='bare',  # the paper's; 'yes_no' asks for yes or no
    quantization='fp8',
    tensor_parallel_size=2,
    processor=dict(max_patches=6),
    engine=dict(max_model_len=4096),
)
