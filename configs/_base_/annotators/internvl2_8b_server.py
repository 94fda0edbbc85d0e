# InternVL2-8B, the paper's MLLM. Its checkpoint comes with its own code, in a format that transformers' classes do not
# read, so it runs on a server that supports it:
#   vllm serve OpenGVLab/InternVL2-8B --trust-remote-code --enable-prefix-caching
# The server, too, encodes the image once for all questions, as long as the prefix stays in its cache.
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
