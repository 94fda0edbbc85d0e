# The emoji, answered by any model behind an OpenAI-compatible server that takes images and shows log-probabilities:
#   vllm serve OpenGVLab/InternVL2-8B --trust-remote-code --enable-prefix-caching
# python tools/annotate.py configs/annotate/openai_server_emoji.py
# For OpenAI itself: --cfg-options model.client.model=gpt-4o model.client.base_url=https://api.openai.com/v1
# model.client.api_key_env=OPENAI_API_KEY, and model.client.max_requests=... to bound what it costs: the 4,046 pictures
# and 66 questions are 267,036 requests.
_base_ = ['../_base_/annotate.py', '../_base_/datasets/emoji_annotate.py']

model = dict(
    type='makd.OpenAIAspectTeacher',
    client=dict(
        model='OpenGVLab/InternVL2-8B',
        base_url='http://localhost:8000/v1',
        api_key_env='VLLM_API_KEY',  # not the key of another server
    ),
    questions='data/emoji/aspects/questions.json',
    prompt='bare',  # the paper's; 'yes_no' asks for yes or no
    image_format='png',
    concurrency=16,
)
# A failure loses what was asked about the current shard: 16 images are 1,056 requests.
test_evaluator = dict(out_dir='work_dirs/targets/emoji_openai_server', shard_size=16)
