# InternVL2-8B, the paper's MLLM. Its checkpoint comes with code of its own and in a format that transformers' classes
# do not read, so it is asked through a server that knows it:
#   vllm serve OpenGVLab/InternVL2-8B --trust-remote-code --enable-prefix-caching
# A server encodes the image once for all questions, too, as long as it keeps the prefix in its cache.
model = dict(
    type='makd.OpenAIAnnotator',
    client=dict(
        model='OpenGVLab/InternVL2-8B',
        base_url='http://localhost:8000/v1',
        api_key_env='VLLM_API_KEY',  # not the key of another server
    ),
    prompt='bare',  # the paper's; 'yes_no' asks for yes or no
    concurrency=16,
)
