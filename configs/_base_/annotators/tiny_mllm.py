# The small MLLM that ships: 9 MB, made by projects/tiny_mllm. It knows emoji and little else, answers on a CPU: good
# for trying every step before a large model's turn comes. Its architecture is registered by the module
# projects.tiny_mllm.hybrid_vision (custom_imports); it is used to pictures on grey ground (background).
model = dict(
    type='makd.HFAnnotator',
    model='data/teachers/tiny-mllm-emoji',
    prompt='bare',
    dtype='float32',
    chunk_size=1024,
)
