# The bundled small MLLM: 9 MB, made by projects/tiny_mllm. It knows emoji and little else, and answers on a CPU, for
# trying every step before a large model's turn. Its architecture is registered by the module
# projects.tiny_mllm.hybrid_vision (custom_imports); its training images lay on a gray background.
model = dict(
    type='makd.HFAnnotator',
    model='data/teachers/tiny-mllm-emoji',
    prompt='bare',
    dtype='float32',
    chunk_size=1024,
)
